// Reads TOML: the only file that includes toml++.
#include "lab/config/toml.h"

#include <fmt/format.h>

// Compiled here, since in its library an allocation that fails can end the process (the error it throws takes memory and
// may not throw) or pass for a number that cannot be read (its stream swallows the exception).
// Its assertions fail for some texts ("[,"), and would end the process too.
namespace plumb {
struct TomlAssertion {};
[[noreturn, gnu::noinline]] static void assertion_failed() { throw TomlAssertion(); }
}  // namespace plumb
#define TOML_ASSERT(expression) (static_cast<bool>(expression) ? void() : ::plumb::assertion_failed())
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_FLOAT_CHARCONV 1
#ifdef __clang__  // letters outside ASCII reach what the library marks as unreachable, and are rightly taken for no space
#pragma clang attribute push(__attribute__((no_sanitize("unreachable"))), apply_to = function)
#endif
#include <toml++/toml.h>
#ifdef __clang__
#pragma clang attribute pop
#endif

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/errors.h"

namespace plumb {
namespace {

Location location(const toml::source_region& source, const std::string& name) {
  return {name, static_cast<int>(source.begin.line), static_cast<int>(source.begin.column)};
}

bool before(const Location& a, const Location& b) { return a.line != b.line ? a.line < b.line : a.column < b.column; }

Value to_value(const toml::node& node, const std::string& name);

// toml++ keeps keys sorted; a configuration keeps the order written.
Value table_value(const toml::table& table, const std::string& name) {
  Table members;
  for (const auto& [key, node] : table)
    members.push_back({std::string(key.str()), to_value(node, name), location(key.source(), name)});
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return before(a.where, b.where); });
  return Value(std::move(members));
}

Value untyped_value(const toml::node& node, const std::string& name) {
  if (const auto* table = node.as_table()) return table_value(*table, name);
  if (const auto* array = node.as_array()) {
    List list;
    for (const auto& element : *array) list.push_back(to_value(element, name));
    return Value(std::move(list));
  }
  if (const auto* x = node.as_string()) return Value(x->get());
  if (const auto* x = node.as_integer()) return Value(std::int64_t{x->get()});
  if (const auto* x = node.as_floating_point()) return Value(x->get());
  if (const auto* x = node.as_boolean()) return Value(x->get());
  throw UserError("dates and times have no use here", location(node.source(), name).text(),
                  "put it in quotes to make it a text");
}

Value to_value(const toml::node& node, const std::string& name) {
  Value v = untyped_value(node, name);
  v.where = location(node.source(), name);
  return v;
}

// The parser recurses over a dotted key, so a hostile one of megabytes must not reach it.
void refuse_endless_keys(std::string_view text, const std::string& name) {
  constexpr int deepest = 500;
  int dots = 0, line = 1;
  for (const char c : text) {
    const bool part = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                      c == '-' || c == '"' || c == '\'' || c == ' ' || c == '\t';
    if (c == '.') ++dots;
    else if (!part) dots = 0;
    if (c == '\n') ++line;
    if (dots > deepest) throw UserError("a key of more than 500 parts", Location{name, line, 1}.text());
  }
}

std::string sentence(const toml::parse_error& e) {
  const std::string text(e.description());
  // "Error while parsing key-value pair: cannot redefine ..." - the second half says it.
  return text.starts_with("Error while parsing") ? text.substr(text.find(": ") + 2) : text;
}

std::string trimmed(const std::string& s) {
  const auto first = s.find_first_not_of(" \t"), last = s.find_last_not_of(" \t");
  return first == std::string::npos ? "" : s.substr(first, last - first + 1);
}

bool is_path(const std::string& key) {
  if (key.empty() || key.front() == '.' || key.back() == '.' || key.find("..") != std::string::npos) return false;
  return key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
         std::string::npos;
}

void relocate(Value& v, const Location& where) {
  v.where = where;
  if (v.is_list())
    for (auto& x : v.list()) relocate(x, where);
  if (v.is_table())
    for (auto& m : v.table()) m.where = where, relocate(m.value, where);
}

Value set_value(const std::string& text, const std::string& where) {
  const bool bare = text.empty() || std::string_view("\"'[{").find(text.front()) == std::string_view::npos;
  try {
    const Value parsed = parse_toml("v = " + text, where);
    if (parsed.table().size() == 1 && parsed.find("v")) return *parsed.find("v");
  } catch (const UserError& e) {
    const bool digits = text.find_first_not_of("+-0123456789_") == std::string::npos && !text.empty();
    if (!bare || digits) throw UserError(e.message(), where);
  }
  if (!bare) throw UserError(fmt::format("`{}` is no single value", text), where);
  return Value(text);
}

}  // namespace

namespace {

bool asserts(std::string_view text) {
  try {
    (void)toml::parse(text);
    return false;
  } catch (const TomlAssertion&) {
    return true;
  }
}

// A text at which the parser's own assertions fail: the first line with which they do is the one to complain of.
[[noreturn]] void refuse_assertion(std::string_view text, const std::string& name) {
  int line = 1;
  for (auto end = text.find('\n'); end != std::string_view::npos && !asserts(text.substr(0, end + 1)); ++line)
    end = text.find('\n', end + 1);
  throw UserError("this is no TOML", Location{name, line, 1}.text(), "a line is [table] or key = value");
}

}  // namespace

Value parse_toml(std::string_view text, const std::string& name) {
  refuse_endless_keys(text, name);
  const toml::parse_result parsed = [&] {
    try {
      return toml::parse(text);
    } catch (const TomlAssertion&) {
      refuse_assertion(text, name);
    }
  }();
  if (!parsed) throw UserError(sentence(parsed.error()), location(parsed.error().source(), name).text());
  Value root = table_value(parsed.table(), name);
  root.where = {name, 1, 1};
  return root;
}

Value read_toml_file(const std::string& path) {
  constexpr std::size_t largest = 16u << 20;
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (!std::filesystem::exists(status))
    throw UserError("there is no such file", path, "paths are relative to the folder in which plumb runs");
  if (std::filesystem::is_directory(status)) throw UserError("is a folder, not a configuration", path);
  std::ifstream in(path, std::ios::binary);
  std::string text;
  for (char block[4096]; in.read(block, sizeof block), in.gcount() > 0;) {  // perhaps from a pipe, which has no size
    text.append(block, static_cast<std::size_t>(in.gcount()));
    if (text.size() > largest)
      throw UserError("a configuration of more than 16 MiB", path, "a text corpus belongs into data.path");
  }
  if (in.bad() || !in.eof()) throw UserError("cannot be read", path);
  return parse_toml(text, path);
}

void apply_set(Value& root, const std::string& assignment) {
  const std::string where = "--set " + assignment;
  const auto equals = assignment.find('=');
  if (equals == std::string::npos) throw UserError("has no `=`", where, "write --set section.key=value");
  const std::string key = trimmed(assignment.substr(0, equals));
  if (!is_path(key)) throw UserError(fmt::format("`{}` is no key", key), where, "write --set section.key=value");
  Value value = set_value(trimmed(assignment.substr(equals + 1)), where);
  relocate(value, {where, 0, 0});
  Value over;
  over.set(key, std::move(value));
  merge(root, over);
}

}  // namespace plumb
