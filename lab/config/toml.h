// TOML text to a Value and back, and overrides from the command line.
#pragma once

#include <string>
#include <string_view>

#include "lab/config/value.h"

namespace plumb {

// Both throw UserError with file:line:column. `name` stands for the file in errors.
Value parse_toml(std::string_view text, const std::string& name);
Value read_toml_file(const std::string& path);

// "optim.lr=1e-3" laid upon `root`. The value is TOML; a bare word is a text. Errors name --set.
void apply_set(Value& root, const std::string& assignment);

// Tables in the order given, scalars before sub-tables. parse_toml(write_toml(x)) == x, doubles with the fewest digits.
std::string write_toml(const Value& root);
// One value on one line.
std::string write_toml_value(const Value& value);

}  // namespace plumb
