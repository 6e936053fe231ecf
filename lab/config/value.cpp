// The neutral tree of a configuration.
#include "lab/config/value.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/errors.h"

namespace plumb {
namespace {

// Shared until written to.
template <class T>
T& owned(std::shared_ptr<T>& p) {
  if (p.use_count() > 1) p = std::make_shared<T>(*p);
  return *p;
}

template <class Members>
auto member(Members& table, std::string_view key) {
  return std::find_if(table.begin(), table.end(), [&](const Member& m) { return m.key == key; });
}

std::pair<std::string, std::string> split_first(const std::string& path) {
  const auto dot = path.find('.');
  if (dot == std::string::npos) return {path, ""};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

}  // namespace

std::string Location::text() const { return line > 0 ? fmt::format("{}:{}:{}", file, line, column) : file; }

Value::Value(List x) : content_(std::make_shared<List>(std::move(x))) {}
Value::Value(Table x) : content_(std::make_shared<Table>(std::move(x))) {}

bool Value::is_table() const { return std::holds_alternative<std::shared_ptr<Table>>(content_); }
bool Value::is_list() const { return std::holds_alternative<std::shared_ptr<List>>(content_); }

const List& Value::list() const {
  PLUMB_ASSERT(is_list());
  return *std::get<std::shared_ptr<List>>(content_);
}

const Table& Value::table() const {
  PLUMB_ASSERT(is_table());
  return *std::get<std::shared_ptr<Table>>(content_);
}

List& Value::list() {
  PLUMB_ASSERT(is_list());
  return owned(std::get<std::shared_ptr<List>>(content_));
}

Table& Value::table() {
  PLUMB_ASSERT(is_table());
  return owned(std::get<std::shared_ptr<Table>>(content_));
}

const Value* Value::find(const std::string& path) const {
  if (!is_table()) return nullptr;
  const auto [key, rest] = split_first(path);
  const auto at = member(table(), key);
  if (at == table().end()) return nullptr;
  return rest.empty() ? &at->value : at->value.find(rest);
}

void Value::set(const std::string& path, Value value) {
  if (!is_table()) throw UserError(fmt::format("{} cannot hold the key \"{}\"", kind(), path), value.where.text());
  const auto [key, rest] = split_first(path);
  auto& members = table();
  auto at = member(members, key);
  if (at == members.end()) {
    Value fresh;
    fresh.where = value.where;
    at = members.insert(members.end(), {key, fresh, value.where});
  }
  if (!rest.empty()) return at->value.set(rest, std::move(value));
  at->where = value.where;
  at->value = std::move(value);
}

bool Value::remove(const std::string& path) {
  if (!is_table() || !find(path)) return false;
  const auto [key, rest] = split_first(path);
  const auto at = member(table(), key);
  if (!rest.empty()) return at->value.remove(rest);
  table().erase(at);
  return true;
}

std::string Value::kind() const {
  if (is_table()) return "a table";
  if (is_list()) return "a list";
  if (const auto* b = as_bool()) return *b ? "true" : "false";
  if (const auto* i = as_integer()) return fmt::format("the number {}", *i);
  if (const auto* d = as_number()) return fmt::format("the number {}", *d);
  return fmt::format("the text \"{}\"", *as_text());
}

bool operator==(const Value& a, const Value& b) {
  if (a.content_.index() != b.content_.index()) return false;
  if (a.is_list()) return a.list() == b.list();
  if (!a.is_table()) return a.content_ == b.content_;
  const auto same = [](const Member& x, const Member& y) { return x.key == y.key && x.value == y.value; };
  return std::equal(a.table().begin(), a.table().end(), b.table().begin(), b.table().end(), same);
}

void merge(Value& base, const Value& over) {
  if (!base.is_table() || !over.is_table()) {
    base = over;
    return;
  }
  for (const auto& m : over.table()) {
    auto& members = base.table();
    const auto at = member(members, m.key);
    if (at == members.end()) members.push_back(m);
    else merge(at->value, m.value);
  }
}

}  // namespace plumb
