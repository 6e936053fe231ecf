// A configuration before it has a meaning: tables, lists, numbers, texts, each with the place it was written.
// Sweeps and overrides work on this tree; readers (lab/config/read.h) turn it into options structs.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace plumb {

struct Location {
  std::string file;          // a file, or "--set a.b=1"
  int line = 0, column = 0;  // from 1; 0 where there is none
  std::string text() const;  // "run.toml:3:7"
};

class Value;
struct Member;
using List = std::vector<Value>;
using Table = std::vector<Member>;  // in the order written

class Value {
 public:
  Value() : content_(std::make_shared<Table>()) {}
  template <std::same_as<bool> B>  // no pointer turns into a bool
  Value(B x) : content_(x) {}
  Value(std::int64_t x) : content_(x) {}
  Value(int x) : content_(std::int64_t{x}) {}
  Value(double x) : content_(x) {}
  Value(std::string x) : content_(std::move(x)) {}
  Value(const char* x) : content_(std::string(x)) {}
  Value(List x);
  Value(Table x);

  bool is_table() const;
  bool is_list() const;
  const bool* as_bool() const { return std::get_if<bool>(&content_); }
  const std::int64_t* as_integer() const { return std::get_if<std::int64_t>(&content_); }
  const double* as_number() const { return std::get_if<double>(&content_); }
  const std::string* as_text() const { return std::get_if<std::string>(&content_); }
  const List& list() const;  // Bug when it is none; so below
  const Table& table() const;
  List& list();  // copies are values: writing to one never changes another
  Table& table();

  // In a table. Paths are dotted: "optim.lr". find gives null where there is none.
  const Value* find(const std::string& path) const;
  void set(const std::string& path, Value value);  // makes tables on the way; UserError where a part is no table
  bool remove(const std::string& path);

  std::string kind() const;  // "a table", "a list", "the number 3", "the text \"abc\"", "true"
  Location where;

  friend bool operator==(const Value& a, const Value& b);  // without places

 private:
  std::variant<bool, std::int64_t, double, std::string, std::shared_ptr<List>, std::shared_ptr<Table>> content_;
};

struct Member {
  std::string key;
  Value value;
  Location where;  // of the key
};

// On one line, keys in order.
std::string write_json(const Value& value);
// The booleans, numbers and texts of a JSON object, without what it nests; empty for anything else.
Value read_flat_json(const std::string& text);

// Lays `over` upon `base`: tables merge key by key, everything else is replaced.
void merge(Value& base, const Value& over);

}  // namespace plumb
