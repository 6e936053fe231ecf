// Fills options structs from a table, and says exactly what is wrong where.
#include "lab/config/read.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/errors.h"

namespace plumb {
namespace {

std::string joined(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

[[noreturn]] void refuse(const std::string& path, const std::string& what, const Location& where,
                         std::string hint = {}) {
  throw UserError(fmt::format("{} {}", path, what), where.text(), std::move(hint));
}

[[noreturn]] void wrong_type(const Field& field, const std::string& path, const Value& v, const std::string& wanted) {
  const std::string article = wanted.starts_with("i") ? "an " : "a ";
  std::string hint = field.choices().empty() ? "" : fmt::format("one of {}", fmt::join(field.choices(), ", "));
  if (v.is_list()) hint = "several values for one key are a sweep";
  refuse(path, fmt::format("must be {}{}, not {}", wanted == "true or false" ? "" : article, wanted, v.kind()), v.where,
         hint);
}

double as_real(const Field& field, const std::string& path, const Value& v) {
  if (const auto* d = v.as_number()) return *d;
  if (const auto* i = v.as_integer()) return static_cast<double>(*i);
  wrong_type(field, path, v, "number");
}

// 1e6 is a fine way to write a number of steps.
std::int64_t as_whole(const Field& field, const std::string& path, const Value& v) {
  constexpr double exact = 9007199254740992.0;
  if (const auto* i = v.as_integer()) return *i;
  if (const auto* d = v.as_number()) {
    if (std::abs(*d) <= exact && std::trunc(*d) == *d) return static_cast<std::int64_t>(*d);
    refuse(path, fmt::format("must be a whole number, not {}", *d), v.where);
  }
  wrong_type(field, path, v, "integer");
}

const std::string& as_words(const Field& field, const std::string& path, const Value& v) {
  if (const auto* s = v.as_text()) return *s;
  wrong_type(field, path, v, "text");
}

struct Assign {
  const Field& field;
  const std::string& path;
  const Value& v;

  void operator()(double* x) const { *x = as_real(field, path, v); }
  void operator()(std::string* x) const { *x = as_words(field, path, v); }
  void operator()(bool* x) const {
    if (!v.as_bool()) wrong_type(field, path, v, "true or false");
    *x = *v.as_bool();
  }
  void operator()(const IntegerRef& x) const {
    const auto value = as_whole(field, path, v);
    if (value < x.low || value > x.high)
      refuse(path, fmt::format("must be from {} to {}, not {}", x.low, x.high, value), v.where);
    x.set(x.at, value);
  }
  void operator()(const EnumRef& x) const {
    const auto& word = as_words(field, path, v);
    const auto& names = field.choices();
    const auto at = std::find(names.begin(), names.end(), word);
    if (at != names.end()) return x.index.set(x.index.at, at - names.begin());
    refuse(path, fmt::format("must be one of {}, not \"{}\"", fmt::join(names, ", "), word), v.where,
           near(names, word));
  }
  void operator()(std::vector<double>* x) const { fill(*x, as_real); }
  void operator()(std::vector<std::int64_t>* x) const { fill(*x, as_whole); }
  void operator()(std::vector<std::string>* x) const { fill(*x, as_words); }

  template <class T, class Convert>
  void fill(std::vector<T>& list, const Convert& convert) const {
    list.clear();
    if (v.is_table()) wrong_type(field, path, v, field.type());
    if (!v.is_list()) return list.push_back(convert(field, path, v));  // one value is a list of one
    for (std::size_t i = 0; i < v.list().size(); ++i)
      list.push_back(convert(field, fmt::format("{}[{}]", path, i), v.list()[i]));
  }
  static std::string near(const std::vector<std::string>& names, const std::string& word) {
    const auto best = nearest_name(word, names);
    return best.empty() ? "" : fmt::format("did you mean \"{}\"?", best);
  }
};

void assign(const Field& field, const std::string& path, const Value& v) {
  std::visit(Assign{field, path, v}, field.target());
  const auto problem = field.problem();
  if (!problem) return;
  const bool element = problem->element >= 0 && v.is_list();
  const Value& culprit = element ? v.list()[static_cast<std::size_t>(problem->element)] : v;
  const auto* word = culprit.as_text();
  refuse(element ? fmt::format("{}[{}]", path, problem->element) : path, problem->text, culprit.where,
         word ? Assign::near(field.choices(), *word) : "");
}

class Reader {
 public:
  explicit Reader(const Visit& whole) : whole_(whole) {}

  void table(const Value& table, const Visit& visit, const std::string& path) {
    if (!table.is_table())
      refuse(path, fmt::format("is a section, not {}", table.kind()), table.where, "write [" + path + "]");
    std::vector<std::string> known;
    visit_entries(table, visit, path, known);
    for (const auto& m : table.table())
      if (std::find(known.begin(), known.end(), m.key) == known.end()) unknown(m, path, known);
  }

 private:
  void visit_entries(const Value& table, const Visit& visit, const std::string& path, std::vector<std::string>& known) {
    Fields f;
    visit(f);
    for (auto& entry : f.entries()) {
      if (const auto* field = std::get_if<Field>(&entry)) {
        known.push_back(field->name());
        if (const auto* v = own(table, field->name())) assign(*field, joined(path, field->name()), *v);
        else if (field->is_required()) missing(*field, table, path);
        continue;
      }
      const auto& section = std::get<FieldSection>(entry);
      if (section.name.empty()) {
        visit_entries(table, section.visit, path, known);
        continue;
      }
      known.push_back(section.name);
      const auto* inner = own(table, section.name);
      Value none;
      none.where = table.where;
      this->table(inner ? *inner : none, section.visit, joined(path, section.name));
    }
    for (const auto& rule : f.rules()) hold(rule.complaint(), rule.keys, table, path);
  }

  // A complaint stands where the mistake was made last: at an override, else at the key itself, else at another key of
  // the rule.
  static void hold(const Complaint& c, const std::vector<std::string>& keys, const Value& table,
                   const std::string& path) {
    if (c.text.empty()) return;
    const Value* at = nullptr;
    for (const auto& key : keys) {
      const Value* v = table.find(key);
      if (v && (!at || (v->where.line == 0 && at->where.line > 0))) at = v;
    }
    refuse(joined(path, keys.front()), c.text, at ? at->where : table.where, c.hint);
  }

  static const Value* own(const Value& table, const std::string& key) {
    for (const auto& m : table.table())
      if (m.key == key) return &m.value;
    return nullptr;
  }

  [[noreturn]] static void missing(const Field& field, const Value& table, const std::string& path) {
    refuse(joined(path, field.name()), "is missing", table.where, field.help());
  }

  // The nearest name here; else a section that has a key of this name; else all that is known.
  [[noreturn]] void unknown(const Member& m, const std::string& path, const std::vector<std::string>& known) const {
    std::string hint;
    if (const auto best = nearest_name(m.key, known); !best.empty()) {
      hint = fmt::format("did you mean \"{}\"?", best);
    } else {
      for (const auto& leaf : list_fields(whole_))
        if (leaf.path.ends_with("." + m.key) && hint.empty()) hint = fmt::format("did you mean \"{}\"?", leaf.path);
    }
    if (hint.empty())
      hint = known.empty() ? "this section has no keys" : fmt::format("known here: {}", fmt::join(known, ", "));
    throw UserError(fmt::format("unknown {} \"{}\"", m.value.is_table() ? "section" : "key", joined(path, m.key)),
                    m.where.text(), hint);
  }

  const Visit& whole_;
};

}  // namespace

void read_fields(const Value& table, const Visit& visit, const std::string& path) {
  Reader(visit).table(table, visit, path);
}

Value load_config(const std::string& path, const std::vector<std::string>& assignments) {
  Value root = read_toml_file(path);
  for (const auto& a : assignments) apply_set(root, a);
  return root;
}

}  // namespace plumb
