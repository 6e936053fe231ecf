// How an options struct names its fields once: parsing, ranges, overrides, the resolved file, help and docs follow.
//   void fields(Fields& f) { f("beta", beta).above(0).help("strength of the pull towards the reference"); }
// Fields only records; readers and writers (lab/config) walk what was recorded, so nothing here knows of a file format.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/field.h"

namespace plumb {

class Fields;

// A nested table, or (nameless) fields of the same table that depend on the values of those above.
struct FieldSection {
  std::string name, text;
  std::function<void(Fields&)> visit;
  FieldSection& help(std::string t) { return text = std::move(t), *this; }
};

// Why values do not go together ("must divide width = 64"), and the way out. An empty text: they do.
struct Complaint {
  Complaint(std::string t = {}, std::string h = {}) : text(std::move(t)), hint(std::move(h)) {}
  std::string text, hint;
};

// What bounds cannot say, of one or of several keys of a table and of the sections in it. The first key is the one
// complained of; the error stands where one of them was written last.
struct FieldRule {
  std::vector<std::string> keys;  // "heads", "width"; or "model.context", "data.length"
  std::function<Complaint()> complaint;
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
  // Fields that exist only for some values of the field right above, which has choices:
  //   f("name", name).one_of({...}); f.dependent([this](Fields& g) { make(name); ... });
  FieldSection& dependent(std::function<void(Fields&)> visit) { return add_section({{}, {}, std::move(visit)}); }

  // Runs once all fields are read: f.rule({"sizes"}, [this] { return sizes.size() == 2 ? "" : "must hold two numbers"; });
  // Such a function returns a text or a Complaint.
  template <class F>
  void rule(std::vector<std::string> keys, F complaint) {
    rules_.push_back({std::move(keys), [complaint] { return Complaint(complaint()); }});
  }

  std::deque<Entry>& entries() { return entries_; }
  const std::vector<FieldRule>& rules() const { return rules_; }

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

  std::vector<FieldRule> rules_;
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
