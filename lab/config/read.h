// Options structs from a Value and back, their reference table and their lines in --help: all from the one visitor
// `void fields(Fields&)` (core/fields.h).
//   RunOptions run;
//   read(load_config("run.toml", {"optim.lr=1e-3"}), run);   // UserError{what, "run.toml:3:7", hint}
//   write_file("config.toml", resolved_toml(run));
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/fields.h"
#include "lab/config/toml.h"

namespace plumb {

using Visit = std::function<void(Fields&)>;
template <class T>
Visit visit_of(T& options) {
  return [&options](Fields& f) { options.fields(f); };
}

// Sets every field the table names; the others keep their values. Unknown keys, wrong types and values out of range are
// errors at their place in the file. `path` is where the table stands in the whole ("optim"), for the messages.
void read_fields(const Value& table, const Visit& visit, const std::string& path = {});
template <class T>
void read(const Value& table, T& options, const std::string& path = {}) {
  read_fields(table, visit_of(options), path);
}

// The present values, in canonical order: the resolved configuration.
Value fields_to_value(const Visit& visit);
template <class T>
Value to_value(T options) {
  return fields_to_value(visit_of(options));
}
template <class T>
std::string resolved_toml(T options) {
  return write_toml(fields_to_value(visit_of(options)));
}

// A file with --set assignments laid upon it.
Value load_config(const std::string& path, const std::vector<std::string>& assignments = {});

// For docs and --help. Defaults are the values the struct has now.
std::string fields_markdown(const Visit& visit);
std::string fields_help(const Visit& visit);

// One row for each leaf, dotted, in order: what a sweep or a completion needs to know of the keys.
struct FieldInfo {
  std::string path, type, range, unit, help;
  Value value;
  bool is_list = false, required = false;
};
std::vector<FieldInfo> list_fields(const Visit& visit);

}  // namespace plumb
