// One field of an options struct: where its value lies, its range, its words for help and docs.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace plumb {

// An integer or an enum of any width, seen as int64. `low` and `high` are what the type can hold.
struct IntegerRef {
  void* at;
  std::int64_t (*get)(const void*);
  void (*set)(void*, std::int64_t);
  std::int64_t low, high;
};

// An enum whose enumerators 0, 1, ... are named, in order, by one_of().
struct EnumRef {
  IntegerRef index;
};

using FieldTarget = std::variant<double*, bool*, std::string*, IntegerRef, EnumRef, std::vector<double>*,
                                 std::vector<std::int64_t>*, std::vector<std::string>*>;

struct FieldProblem {
  std::string text;  // "must be above 0, not -1"
  int element = -1;  // of a list; -1 for the field itself
};

class Field {
 public:
  Field(std::string name, FieldTarget target) : name_(std::move(name)), target_(target) {}

  // Bounds hold for numbers and for each element of a list of numbers.
  Field& above(double x) { return low_ = x, low_open_ = true, *this; }
  Field& at_least(double x) { return low_ = x, low_open_ = false, *this; }
  Field& below(double x) { return high_ = x, high_open_ = true, *this; }
  Field& at_most(double x) { return high_ = x, high_open_ = false, *this; }
  Field& one_of(std::vector<std::string> choices) { return choices_ = std::move(choices), *this; }
  Field& unit(std::string u) { return unit_ = std::move(u), *this; }
  Field& help(std::string text) { return help_ = std::move(text), *this; }
  Field& required() { return required_ = true, *this; }

  const std::string& name() const { return name_; }
  const FieldTarget& target() const { return target_; }
  const std::vector<std::string>& choices() const { return choices_; }
  const std::string& unit() const { return unit_; }
  const std::string& help() const { return help_; }
  bool is_required() const { return required_; }

  std::string type() const;                     // "number", "integer", "true or false", "text", "list of numbers", ...
  std::string range() const;                    // "above 0, at most 1", "adamw | lion", or empty
  std::optional<FieldProblem> problem() const;  // of the present value with bounds and choices

 private:
  std::optional<FieldProblem> number_problem(double value, int element) const;
  std::optional<FieldProblem> text_problem(const std::string& value, int element) const;

  std::string name_;
  FieldTarget target_;
  double low_ = -std::numeric_limits<double>::infinity(), high_ = std::numeric_limits<double>::infinity();
  bool low_open_ = false, high_open_ = false, required_ = false;
  std::vector<std::string> choices_;
  std::string unit_, help_;
};

}  // namespace plumb
