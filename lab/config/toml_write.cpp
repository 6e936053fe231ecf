// Writes TOML in canonical form.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "core/errors.h"
#include "lab/config/toml.h"

namespace plumb {
namespace {

std::string number(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof digits, x).ptr;
  std::string text(digits, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";  // else it would read back as an integer
  return text;
}

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += fmt::format("\\{}", c);
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else out += c;
  }
  return out + '"';
}

std::string key_text(const std::string& key) {
  const bool bare =
      !key.empty() &&
      key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == std::string::npos;
  return bare ? key : quoted(key);
}

void write_table(const Value& v, const std::string& path, std::string& out) {
  for (const auto& [key, value, where] : v.table())
    if (!value.is_table()) out += fmt::format("{} = {}\n", key_text(key), write_toml_value(value));
  for (const auto& [key, value, where] : v.table()) {
    if (!value.is_table()) continue;
    const std::string inner = path.empty() ? key_text(key) : path + "." + key_text(key);
    if (!out.empty()) out += '\n';
    out += fmt::format("[{}]\n", inner);
    write_table(value, inner, out);
  }
}

}  // namespace

std::string write_toml_value(const Value& v) {
  if (const auto* b = v.as_bool()) return *b ? "true" : "false";
  if (const auto* i = v.as_integer()) return fmt::format("{}", *i);
  if (const auto* d = v.as_number()) return number(*d);
  if (const auto* s = v.as_text()) return quoted(*s);
  std::string out;
  if (v.is_list()) {
    for (const auto& x : v.list()) out += (out.empty() ? "" : ", ") + write_toml_value(x);
    return "[" + out + "]";
  }
  for (const auto& m : v.table())
    out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", key_text(m.key), write_toml_value(m.value));
  return out.empty() ? "{}" : "{ " + out + " }";
}

std::string write_toml(const Value& root) {
  PLUMB_ASSERT(root.is_table());
  std::string out;
  write_table(root, "", out);
  return out;
}

}  // namespace plumb
