// The other direction: values, reference tables and help from the same visitor.
#include <fmt/format.h>

#include <algorithm>

#include "core/errors.h"
#include "lab/config/read.h"

namespace plumb {
namespace {

template <class T>
Value list_of(const std::vector<T>& values) {
  List list;
  for (const auto& x : values) list.emplace_back(x);
  return Value(std::move(list));
}

struct Present {
  const Field& field;
  Value operator()(const double* x) const { return *x; }
  Value operator()(const bool* x) const { return *x; }
  Value operator()(const std::string* x) const { return *x; }
  Value operator()(const IntegerRef& x) const { return x.get(x.at); }
  Value operator()(const EnumRef& x) const {
    return field.choices().at(static_cast<std::size_t>(x.index.get(x.index.at)));
  }
  Value operator()(const std::vector<double>* x) const { return list_of(*x); }
  Value operator()(const std::vector<std::int64_t>* x) const { return list_of(*x); }
  Value operator()(const std::vector<std::string>* x) const { return list_of(*x); }
};

Value present(const Field& field) { return std::visit(Present{field}, field.target()); }

void collect(const Visit& visit, Table& members) {
  Fields f;
  visit(f);
  for (auto& entry : f.entries()) {
    if (const auto* field = std::get_if<Field>(&entry)) {
      members.push_back({field->name(), present(*field), {}});
      continue;
    }
    const auto& section = std::get<FieldSection>(entry);
    if (section.name.empty()) {
      collect(section.visit, members);
    } else {
      members.push_back({section.name, fields_to_value(section.visit), {}});
    }
  }
}

// The choices of a field, one after the other, put back at the end.
template <class OnChoice>
void for_each_choice(const Field& field, const OnChoice& on_choice) {
  const auto* index = std::get_if<EnumRef>(&field.target());
  auto* const* word = std::get_if<std::string*>(&field.target());
  PLUMB_ASSERT((index || word) && !field.choices().empty());  // dependent() stands under a field with choices
  const auto choose = [&](std::size_t i) {
    if (word) **word = field.choices()[i];
    else index->index.set(index->index.at, static_cast<std::int64_t>(i));
  };
  const auto& names = field.choices();
  const auto before = std::find(names.begin(), names.end(), *present(field).as_text()) - names.begin();
  for (std::size_t i = 0; i < names.size(); ++i) {
    choose(i);
    on_choice(names[i]);
  }
  choose(static_cast<std::size_t>(before));
}

// Walks the fields in order. With all_choices, dependent fields are walked for each choice of the field above them.
struct Walk {
  std::function<void(const std::string& path, const Field&, const std::string& when)> on_field;
  std::function<void(const std::string& path, const FieldSection&)> on_section = [](const auto&, const auto&) {};
  bool all_choices = false;

  void operator()(const Visit& visit, const std::string& path = {}, const std::string& when = {}) const {
    Fields f;
    visit(f);
    const Field* last = nullptr;
    for (auto& entry : f.entries()) {
      if (const auto* field = std::get_if<Field>(&entry)) {
        on_field(below(path, field->name()), *field, when);
        last = field;
        continue;
      }
      const auto& section = std::get<FieldSection>(entry);
      if (!section.name.empty()) {
        on_section(below(path, section.name), section);
        (*this)(section.visit, below(path, section.name), when);
      } else if (all_choices && last) {
        for_each_choice(*last, [&](const std::string& choice) {
          (*this)(section.visit, path, fmt::format("{} = \"{}\"", below(path, last->name()), choice));
        });
      } else {
        (*this)(section.visit, path, when);
      }
    }
  }

 private:
  static std::string below(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }
};

FieldInfo info_of(const std::string& path, const Field& f, const std::string& when) {
  const Value value = present(f);
  return {path, f.type(), f.range(), f.unit(), f.help(), value, value.is_list(), f.is_required(), when};
}

std::string escaped(const std::string& text) {  // a bar would end the cell of a Markdown table
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string row_of(const FieldInfo& f) {
  const std::string type = f.unit.empty() ? f.type : fmt::format("{} ({})", f.type, f.unit);
  return fmt::format("| `{}` | {} | {} | {} | {} |\n", f.path, type,
                     f.required ? "(required)" : fmt::format("`{}`", default_text(f)), escaped(f.range),
                     escaped(f.help));
}

}  // namespace

std::string default_text(const FieldInfo& f) { return f.required ? "(required)" : write_toml_value(f.value); }

Value fields_to_value(const Visit& visit) {
  Table members;
  collect(visit, members);
  return Value(std::move(members));
}

std::vector<FieldInfo> list_fields(const Visit& visit) {
  std::vector<FieldInfo> all;
  Walk{.on_field = [&](const auto&... field) { all.push_back(info_of(field...)); }}(visit);
  return all;
}

std::vector<FieldInfo> list_all_fields(const Visit& visit) {
  std::vector<FieldInfo> all;
  Walk{.on_field = [&](const auto&... field) { all.push_back(info_of(field...)); }, .all_choices = true}(visit);
  return all;
}

std::string fields_markdown(const Visit& visit) {
  std::string out, condition;
  bool in_table = false;
  Walk{.on_field =
           [&](const std::string& path, const Field& field, const std::string& when) {
             if (when != condition && !when.empty()) out += fmt::format("\nWith `{}`:\n", when);
             if (!in_table || when != condition)
               out += "\n| key | type | default | range | meaning |\n| --- | --- | --- | --- | --- |\n";
             in_table = true;
             condition = when;
             out += row_of(info_of(path, field, when));
           },
       .on_section =
           [&](const std::string& path, const FieldSection& section) {
             out += fmt::format("\n## `[{}]` {}\n", path, section.text);
             in_table = false;
             condition.clear();
           },
       .all_choices = true}(visit);
  return out;
}

std::string fields_help(const std::vector<FieldInfo>& fields) {
  std::string out;
  for (const auto& f : fields) {
    std::string details = f.range;
    for (const auto& more : {f.unit, f.when.empty() ? "" : "with " + f.when})
      if (!more.empty()) details += fmt::format("{}{}", details.empty() ? "" : "; ", more);
    out += fmt::format("  {:<30} {:<14} {}{}\n", f.path, default_text(f), f.help,
                       details.empty() ? "" : fmt::format(" ({})", details));
  }
  return out;
}

}  // namespace plumb
