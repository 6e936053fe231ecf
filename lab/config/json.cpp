// A Value as JSON, for programs that read what `plumb` prints, and flat JSON objects back. No nlohmann::json is made
// here: its destructor allocates, and so ends the process when memory runs out.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

#include "lab/config/value.h"
#include "lab/data/utf8.h"

namespace plumb {
namespace {

void put_text(std::string& out, const std::string& text) {
  out += '"';
  for (const char c : replace_invalid_utf8(text)) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20) out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else out += c;
  }
  out += '"';
}

// The shortest digits that read back as the same number; JSON has no infinities.
void put_number(std::string& out, double x) {
  const std::string digits = std::isfinite(x) ? fmt::format("{}", x) : "null";
  out += digits;
  if (digits.find_first_not_of("-0123456789") == digits.npos) out += ".0";
}

void put(std::string& out, const Value& v) {
  const auto put_all = [&](char open, char close, const auto& items, auto&& put_one) {
    out += open;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ',';
      put_one(items[i]);
    }
    out += close;
  };
  if (const auto* b = v.as_bool()) out += *b ? "true" : "false";
  else if (const auto* i = v.as_integer()) out += fmt::format("{}", *i);
  else if (const auto* d = v.as_number()) put_number(out, *d);
  else if (const auto* s = v.as_text()) put_text(out, *s);
  else if (v.is_list()) put_all('[', ']', v.list(), [&](const Value& x) { put(out, x); });
  else
    put_all('{', '}', v.table(), [&](const Member& m) {
      put_text(out, m.key);
      out += ':';
      put(out, m.value);
    });
}

// What the parser meets at depth 1 of an object; deeper things are passed over.
class Flat final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Table members;

  bool null() override { return true; }
  bool boolean(bool x) override { return add(x); }
  bool number_integer(number_integer_t x) override { return add(std::int64_t{x}); }
  bool number_unsigned(number_unsigned_t x) override { return add(static_cast<std::int64_t>(x)); }
  bool number_float(number_float_t x, const string_t&) override { return add(x); }
  bool string(string_t& x) override { return add(x); }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(true); }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override { return enter(depth_ > 0); }
  bool end_array() override { return --depth_, true; }
  bool key(string_t& name) override {
    if (depth_ == 1) key_ = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  bool enter(bool allowed) {
    ++depth_;
    return allowed;
  }
  bool add(Value x) {
    if (depth_ == 1) members.push_back({key_, std::move(x), {}});
    return depth_ > 0;
  }
  int depth_ = 0;
  std::string key_;
};

}  // namespace

std::string write_json(const Value& value) {
  std::string out;
  put(out, value);
  return out;
}

Value read_flat_json(const std::string& text) {
  Flat found;
  return nlohmann::json::sax_parse(text, &found) ? Value(std::move(found.members)) : Value();
}

}  // namespace plumb
