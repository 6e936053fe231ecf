// plumb check: tries to break the promises.
#include "lab/check/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "core/fields.h"
#include "lab/cli/command.h"

namespace plumb::cli {
namespace {

int check(const Arguments& a) {
  const std::string wanted = a.word("NAME").empty() ? "all" : a.word("NAME");
  std::vector<std::string> names{"all"};
  for (const auto& c : lab::checks()) names.push_back(c.name);
  if (std::find(names.begin(), names.end(), wanted) == names.end()) {
    const std::string near = nearest_name(wanted, names);
    throw UsageError(fmt::format("there is no check \"{}\"", wanted), "check",
                     near.empty() ? fmt::format("use one of {}", fmt::join(names, ", "))
                                  : fmt::format("did you mean \"{}\"?", near));
  }
  bool all_hold = true;
  nlohmann::json results = nlohmann::json::array();
  for (const auto& c : lab::checks()) {
    if (wanted != "all" && wanted != c.name) continue;
    const auto r = c.run({.full = a.has("--full"), .plumb = {}, .scratch = a.common.out});
    all_hold = all_hold && r.holds();
    results.push_back({{"name", r.name},
                       {"passed", r.passed},
                       {"tried", r.tried},
                       {"unit", r.unit},
                       {"holds", r.holds()},
                       {"failure", r.failure}});
    if (!a.common.json)
      fmt::print("{:<14} {}/{} {:<26} {}\n", r.name, r.passed, r.tried, r.unit,
                 r.holds() ? "holds" : "BROKEN: " + r.failure);
  }
  if (a.common.json) fmt::print("{}\n", results.dump());
  return all_hold ? 0 : 1;
}

std::string names_of_checks() {
  std::string names;
  for (const auto& c : lab::checks()) names += (names.empty() ? "" : " | ") + c.name;
  return names;
}

const Registration registered(
    {.name = "check",
     .group = Group::machine,
     .help = "try to break the promises of determinism",
     .example = "plumb check kill --full",
     .words = {{.name = "NAME", .help = names_of_checks() + "; all when left out", .optional = true}},
     .options = {{"--full", "", "the long sizes"}},
     .without = {"--set", "--device", "--jobs", "--dry-run"},
     .run = check});

}  // namespace
}  // namespace plumb::cli
