// plumb study.
#include "lab/study/study.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "lab/cli/command.h"
#include "lab/cli/packing.h"
#include "lab/config/read.h"

namespace plumb::cli {
namespace {

using lab::Claim;
using lab::Study;

const Study& study_of(const std::string& name) {
  std::vector<std::string> known;
  for (const Study& s : lab::studies()) {
    if (s.name == name) return s;
    known.push_back(s.name);
  }
  const std::string near = nearest_name(name, known);
  throw UserError(fmt::format("there is no study \"{}\"", name), "",
                  near.empty() ? "plumb study lists them" : fmt::format("do you mean \"{}\"?", near));
}

int list() {
  for (const Study& s : lab::studies()) fmt::print("{:<20} {} ({})\n", s.name, s.title, s.source);
  return 0;
}

void print(const std::vector<Claim>& claims) {
  for (const Claim& claim : claims) {
    fmt::print("\n{}\n  setup     {}\n  expected  {}\n", claim.text, claim.setup, claim.expected);
    for (const auto& c : claim.criteria)
      fmt::print("  measured  {}: {:.4g} [{:.4g}, {:.4g}], {} seeds; {}{}\n", c.text, c.measured.mean, c.measured.low,
                 c.measured.high, c.n, c.test, c.holds ? "" : "  <- does not hold");
    fmt::print("  verdict   {}\n", claim.holds() ? "holds" : "does not hold");
  }
}

nlohmann::json json_of(const std::vector<Claim>& claims) {
  nlohmann::json all = nlohmann::json::array();
  for (const Claim& claim : claims) {
    nlohmann::json criteria = nlohmann::json::array();
    for (const auto& c : claim.criteria)
      criteria.push_back({{"criterion", c.text},
                          {"mean", c.measured.mean},
                          {"low", c.measured.low},
                          {"high", c.measured.high},
                          {"seeds", c.n},
                          {"test", c.test},
                          {"holds", c.holds}});
    all.push_back({{"claim", claim.text},
                   {"setup", claim.setup},
                   {"expected", claim.expected},
                   {"criteria", criteria},
                   {"holds", claim.holds()}});
  }
  return all;
}

int study(const Arguments& a) {
  if (a.word("NAME").empty()) return list();
  const Study& s = study_of(a.word("NAME"));
  const std::string config = a.has("--config") ? a.text("--config") : lab::find_example(s.config);
  const Value root = load_config(config, a.common.set);
  const lab::SweepPlan plan = lab::plan_sweep(root);
  std::string folder = a.common.out;
  if (folder.empty()) {
    folder = "studies/" + s.name;
    std::replace(folder.begin() + 8, folder.end(), '/', '_');
  }
  lab::SweepRequest request{.folder = folder,
                            .plugins = a.common.plugins,
                            .config = write_toml(root),
                            .device = a.common.device.empty() ? "cpu" : a.common.device,
                            .quiet = a.common.quiet || a.common.json};
  pack(a.common, request);
  const lab::SweepOutcome out = lab::run_sweep(plan, request);
  if (out.interrupted) {
    fmt::print(stderr, "interrupted; the same command goes on\n");
    return 130;
  }
  for (const auto& r : out.results)
    if (r.state != lab::MemberState::done)
      throw UserError("not every run of the study is there: " + r.status, folder, "the same command goes on");
  const auto claims = s.judge(lab::StudyData(plan, out.results));
  const std::string report = write_study_report(s, claims, plan, out.results, folder, request.config);
  if (a.common.json) {
    fmt::print("{}\n", nlohmann::json{{"study", s.name}, {"claims", json_of(claims)}, {"report", report}}.dump());
  } else {
    fmt::print("{}: {} ({})\n", s.name, s.title, s.source);
    print(claims);
    fmt::print("\nplots     {0}/loss.svg {0}/loss.png\nreport    {1}\n", folder, report);
  }
  return 0;
}

const Registration study_command(
    {.name = "study",
     .group = Group::studies,
     .help = "reproduce what a paper claims: run its sweep, judge its claims",
     .example = "plumb study 29/qk_norm",
     .words = {{.name = "NAME", .help = "a study; all are listed without", .optional = true}},
     .options = {{"--config", "FILE", "another sweep with the same axes"}},
     .without = {"--dry-run"},
     .run = study});

}  // namespace
}  // namespace plumb::cli
