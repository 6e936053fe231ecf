// The registry of commands, and typed access to what was given.
#include "lab/cli/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <tuple>

namespace plumb::cli {
namespace {

std::vector<Command>& registry() {
  static std::vector<Command> all;
  return all;
}

template <class T>
std::optional<T> parsed(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace

Registration::Registration(Command command) {
  auto& all = registry();
  const auto key = [](const Command& c) { return std::tie(c.group, c.name); };
  const auto place = std::upper_bound(all.begin(), all.end(), command,
                                      [&](const Command& a, const Command& b) { return key(a) < key(b); });
  all.insert(place, std::move(command));
}

const std::vector<Command>& commands() { return registry(); }

const std::vector<std::string>& Arguments::values(const std::string& name) const {
  const auto at = given.find(name);
  if (at == given.end()) throw Bug(fmt::format("the command declares no {}", name));
  return at->second;
}

std::string Arguments::word(const std::string& name) const { return values(name).empty() ? "" : values(name).front(); }
std::vector<std::string> Arguments::words(const std::string& name) const { return values(name); }
bool Arguments::has(const std::string& option) const { return !values(option).empty(); }
std::vector<std::string> Arguments::texts(const std::string& option) const { return values(option); }

std::string Arguments::text(const std::string& option, const std::string& otherwise) const {
  return has(option) ? values(option).back() : otherwise;
}

std::int64_t Arguments::integer(const std::string& option, std::int64_t otherwise) const {
  if (!has(option)) return otherwise;
  if (const auto value = parsed<std::int64_t>(values(option).back())) return *value;
  throw UsageError(fmt::format("needs a whole number, not \"{}\"", values(option).back()), option);
}

double Arguments::number(const std::string& option, double otherwise) const {
  if (!has(option)) return otherwise;
  if (const auto value = parsed<double>(values(option).back()); value && std::isfinite(*value)) return *value;
  throw UsageError(fmt::format("needs a number, not \"{}\"", values(option).back()), option);
}

}  // namespace plumb::cli
