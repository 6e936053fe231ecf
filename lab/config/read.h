// Options structs from a Value and back, their reference table and their lines in --help: all from the one visitor
// `void fields(Fields&)` (core/fields.h).
//   RunOptions run;
//   read(load_config("run.toml", {"optim.lr=1e-3"}), run);   // UserError{what, "run.toml:3:7", hint}
//   write_file("config.toml", resolved_toml(run));
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/errors.h"
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

// For work that starts from a configuration: an error that names a key ("data.path") is thrown again with the place at
// which `root` holds that key.
template <class Work>
auto with_places(const Value& root, const Work& work) {
  try {
    return work();
  } catch (const UserError& e) {
    const Value* v = root.find(e.where());
    if (!v) throw;
    throw UserError(e.where() + ": " + e.message(), v->where.text(), e.hint());
  }
}

// One row for each leaf, dotted, in order: what a sweep or a completion needs to know of the keys.
struct FieldInfo {
  std::string path, type, range, unit, help;
  Value value;
  bool is_list = false, required = false;
  std::string when;  // of a key that exists only for some choice: "data.kind = \"text\""
};
std::vector<FieldInfo> list_fields(const Visit& visit);      // those that exist for the present values
std::vector<FieldInfo> list_all_fields(const Visit& visit);  // those of every choice
std::string default_text(const FieldInfo& field);

// Every key of every choice, for docs and for people; defaults are the values the struct has now.
std::string fields_markdown(const Visit& visit);  // a heading and tables for each section
std::string fields_help(const std::vector<FieldInfo>& fields);

}  // namespace plumb
