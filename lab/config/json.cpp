// A Value as JSON, for programs that read what `plumb` prints.
#include <nlohmann/json.hpp>

#include "lab/config/value.h"

namespace plumb {
namespace {

nlohmann::ordered_json json_of(const Value& v) {
  if (const auto* b = v.as_bool()) return *b;
  if (const auto* i = v.as_integer()) return *i;
  if (const auto* d = v.as_number()) return *d;
  if (const auto* s = v.as_text()) return *s;
  auto out = v.is_list() ? nlohmann::ordered_json::array() : nlohmann::ordered_json::object();
  if (v.is_list())
    for (const auto& x : v.list()) out.push_back(json_of(x));
  else
    for (const auto& m : v.table()) out[m.key] = json_of(m.value);
  return out;
}

}  // namespace

std::string write_json(const Value& value) {
  return json_of(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace plumb
