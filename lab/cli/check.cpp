// plumb check: tries to break the promises, or one failure once more.
#include "lab/check/check.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lab/cli/command.h"

namespace plumb::cli {
namespace {

std::string verdict(const lab::CheckResult& r) {
  if (!r.skipped.empty()) return fmt::format("skipped ({})", r.skipped);
  return r.holds ? "holds" : "BROKEN: " + r.failure;
}

enum class Show { json, line, details };

// The result of a check as one line; false when the promise is broken. A failed case is kept as a file that replays it.
bool report(const lab::Check& c, const lab::CheckOptions& o, const lab::CheckResult& r, Show show,
            nlohmann::json& results) {
  const bool broken = r.skipped.empty() && !r.holds;
  std::string replay;
  if (broken && r.failed && !o.only) {
    replay = fmt::format("check-{}.toml", c.name);
    lab::CheckOptions alone = o;
    alone.only = r.failed;
    lab::write_case(replay, {.name = c.name, .options = alone});
  }
  results.push_back({{"figure", c.figure},
                     {"name", c.name},
                     {"value", r.value},
                     {"unit", r.unit},
                     {"holds", r.skipped.empty() ? nlohmann::json(r.holds) : nlohmann::json()},
                     {"skipped", r.skipped},
                     {"failure", r.failure},
                     {"details", r.details},
                     {"seed", o.seed},
                     {"replay", replay}});
  if (show == Show::json) return !broken;
  fmt::print("{:<4} {:<13} {:>14} {:<30} {}\n", c.figure, c.name, r.value, r.unit, verdict(r));
  if (show == Show::details)
    for (const auto& line : r.details) fmt::print("     {}\n", line);
  if (!replay.empty()) fmt::print("     again: plumb check replay {}\n", replay);
  std::fflush(stdout);
  return !broken;
}

int check(const Arguments& a) {
  const std::string wanted = a.word("NAME").empty() ? "all" : a.word("NAME");
  lab::CheckOptions o{.full = a.has("--full"),
                      .seed = static_cast<std::uint64_t>(a.integer("--seed", 11)),
                      .only = {},
                      .plumb = {},
                      .scratch = a.common.out};
  const Show one = a.common.json ? Show::json : Show::details, of_many = a.common.json ? Show::json : Show::line;
  bool all_hold = true;
  nlohmann::json results = nlohmann::json::array();
  if (wanted == "list") {
    for (const auto& c : lab::checks()) {
      results.push_back({{"figure", c.figure}, {"name", c.name}, {"help", c.help}});
      if (!a.common.json) fmt::print("{:<4} {:<13} {}\n", c.figure, c.name, c.help);
    }
  } else if (wanted == "replay") {
    if (a.word("FILE").empty()) throw UsageError("replay needs the file of a failed case", "check");
    lab::CheckCase c = lab::read_case(a.word("FILE"));
    c.options.scratch = o.scratch;
    const auto& known = lab::check_of(c.name);
    all_hold = report(known, c.options, known.run(c.options), one, results);
  } else if (wanted != "all") {
    const auto& known = lab::check_of(wanted);
    all_hold = report(known, o, known.run(o), one, results);
  } else {
    for (const auto& c : lab::checks()) all_hold = report(c, o, lab::run_among_all(c, o), of_many, results) && all_hold;
  }
  if (a.common.json) fmt::print("{}\n", results.dump());
  return all_hold ? 0 : 1;
}

const Registration registered(
    {.name = "check",
     .group = Group::machine,
     .help = "try to break the promises",
     .example = "plumb check kill --full",
     .words = {{.name = "NAME", .help = "a check or its figure | list | replay; else all", .optional = true},
               {.name = "FILE", .help = "with replay: a failed case", .optional = true}},
     .options = {{"--full", "", "the long sizes"}, {"--seed", "N", "of everything that is drawn (11)"}},
     .without = {"--set", "--device", "--jobs", "--dry-run"},
     .run = check});

}  // namespace
}  // namespace plumb::cli
