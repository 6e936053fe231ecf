// The other direction: values, reference tables and help from the same visitor.
#include <fmt/format.h>

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

// Calls on_field(path, field) and on_section(path, section) in order.
template <class OnField, class OnSection>
void walk(const Visit& visit, const std::string& path, const OnField& on_field, const OnSection& on_section) {
  Fields f;
  visit(f);
  const auto below = [&](const std::string& name) { return path.empty() ? name : path + "." + name; };
  for (auto& entry : f.entries()) {
    if (const auto* field = std::get_if<Field>(&entry)) {
      on_field(below(field->name()), *field);
      continue;
    }
    const auto& section = std::get<FieldSection>(entry);
    const std::string inner = section.name.empty() ? path : below(section.name);
    if (!section.name.empty()) on_section(inner, section);
    walk(section.visit, inner, on_field, on_section);
  }
}

std::string escaped(const std::string& text) {  // a bar would end the cell of a Markdown table
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string default_text(const FieldInfo& f) { return f.required ? "(required)" : write_toml_value(f.value); }

}  // namespace

Value fields_to_value(const Visit& visit) {
  Table members;
  collect(visit, members);
  return Value(std::move(members));
}

std::vector<FieldInfo> list_fields(const Visit& visit) {
  std::vector<FieldInfo> all;
  walk(
      visit, "",
      [&](const std::string& path, const Field& f) {
        const Value value = present(f);
        all.push_back({path, f.type(), f.range(), f.unit(), f.help(), value, value.is_list(), f.is_required()});
      },
      [](const std::string&, const FieldSection&) {});
  return all;
}

std::string fields_markdown(const Visit& visit) {
  std::string out = "| key | type | default | range | meaning |\n| --- | --- | --- | --- | --- |\n";
  for (const auto& f : list_fields(visit)) {
    const std::string type = f.unit.empty() ? f.type : fmt::format("{} ({})", f.type, f.unit);
    out += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", f.path, type, default_text(f), escaped(f.range),
                       escaped(f.help));
  }
  return out;
}

std::string fields_help(const Visit& visit) {
  std::string out;
  for (const auto& f : list_fields(visit)) {
    std::string details = f.range;
    if (!f.unit.empty()) details += fmt::format("{}{}", details.empty() ? "" : "; ", f.unit);
    out += fmt::format("  {:<28} {:<14} {}{}\n", f.path, default_text(f), f.help,
                       details.empty() ? "" : fmt::format(" ({})", details));
  }
  return out;
}

}  // namespace plumb
