// How an options struct names its fields once: parsing, ranges, overrides, the resolved file, help and docs follow.
//   void fields(Fields& f) { f("beta", beta).above(0).help("strength of the pull towards the reference"); }
// Fields only records; readers and writers (lab/config) walk what was recorded, so nothing here knows of a file format.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace plumb {

class Fields;

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
  // What bounds cannot say. Runs once all fields are read; a text that is not empty is the complaint ("must divide
  // width").
  Field& check(std::function<std::string()> complaint) { return check_ = std::move(complaint), *this; }

  const std::string& name() const { return name_; }
  const FieldTarget& target() const { return target_; }
  const std::vector<std::string>& choices() const { return choices_; }
  const std::string& unit() const { return unit_; }
  const std::string& help() const { return help_; }
  bool is_required() const { return required_; }

  std::string type() const;                     // "number", "integer", "true or false", "text", "list of numbers", ...
  std::string range() const;                    // "above 0, at most 1", "adamw | lion", or empty
  std::optional<FieldProblem> problem() const;  // of the present value with bounds and choices
  std::string complaint() const { return check_ ? check_() : std::string(); }

 private:
  std::optional<FieldProblem> number_problem(double value, int element) const;
  std::optional<FieldProblem> text_problem(const std::string& value, int element) const;

  std::string name_;
  FieldTarget target_;
  double low_ = -std::numeric_limits<double>::infinity(), high_ = std::numeric_limits<double>::infinity();
  bool low_open_ = false, high_open_ = false, required_ = false;
  std::vector<std::string> choices_;
  std::string unit_, help_;
  std::function<std::string()> check_;
};

// A nested table, or (nameless) fields of the same table that depend on the values of those above.
struct FieldSection {
  std::string name, text;
  std::function<void(Fields&)> visit;
  FieldSection& help(std::string t) { return text = std::move(t), *this; }
};

class Fields {
 public:
  using Entry = std::variant<Field, FieldSection>;

  template <class T>
  Field& operator()(std::string name, T& value) {
    return std::get<Field>(entries_.emplace_back(Field(std::move(name), target_of(value))));
  }
  // An options struct inside this one: [name] in a file.
  template <class T>
  FieldSection& section(std::string name, T& options) {
    return add_section({std::move(name), {}, [&options](Fields& f) { options.fields(f); }});
  }
  // Fields that exist only once those above are read: f("name", name); f.dependent([this](Fields& f) { make(name); ...
  // });
  FieldSection& dependent(std::function<void(Fields&)> visit) { return add_section({{}, {}, std::move(visit)}); }

  std::deque<Entry>& entries() { return entries_; }

 private:
  FieldSection& add_section(FieldSection s) { return std::get<FieldSection>(entries_.emplace_back(std::move(s))); }

  template <class T>
  static IntegerRef integer_ref(T& value) {
    return {&value, [](const void* p) { return static_cast<std::int64_t>(*static_cast<const T*>(p)); },
            [](void* p, std::int64_t v) { *static_cast<T*>(p) = static_cast<T>(v); },
            std::is_unsigned_v<T> ? 0 : std::numeric_limits<std::int64_t>::min() >> (64 - 8 * sizeof(T)),
            std::numeric_limits<std::int64_t>::max() >> (64 - 8 * sizeof(T))};
  }
  template <class T>
  static FieldTarget target_of(T& value) {
    if constexpr (std::is_enum_v<T>) return EnumRef{integer_ref(value)};
    else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) return integer_ref(value);
    else return FieldTarget(&value);
  }

  std::deque<Entry> entries_;  // a deque: references stay valid while entries are added
};

// Throws UserError for the first field out of range, naming it; for structs made in C++. `what` is put before the name.
void check_fields(Fields& f, const std::string& what);
template <class T>
void check_fields(T& options, const std::string& what) {
  Fields f;
  options.fields(f);
  check_fields(f, what);
}

// The known name nearest to `name` by edit distance (a swap counts one), if any is near enough to be meant; else empty.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace plumb
