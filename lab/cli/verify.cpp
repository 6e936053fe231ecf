// plumb verify and plumb diff.
#include "lab/run/verify.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lab/cli/command.h"
#include "lab/run/summary.h"

namespace plumb::cli {
namespace {

int verify(const Arguments& a) {
  const std::string folder = a.word("RUN");
  const auto v = lab::verify_run(folder, a.common.quiet || a.common.json,
                                 parse_device(a.common.device.empty() ? "cpu" : a.common.device));
  if (a.common.json)
    fmt::print("{}\n", nlohmann::json{{"run", folder},
                                      {"equal", v.equal},
                                      {"steps", v.steps},
                                      {"rows", v.compared_rows},
                                      {"checkpoints", v.compared_checkpoints},
                                      {"difference", v.difference}}
                           .dump());
  else if (v.equal)
    fmt::print("equal: {} steps run again, {} logged values and {} checkpoints are the same to the bit\n", v.steps,
               v.compared_rows, v.compared_checkpoints);
  else fmt::print("different at {}\n", v.difference);
  return v.equal ? 0 : 1;
}

int diff(const Arguments& a) {
  const auto runs = a.words("RUN");
  if (runs.size() != 2)
    throw UsageError(fmt::format("needs two runs, not {}", runs.size()), "diff", "plumb diff runs/a runs/b");
  const auto d = lab::compare_runs(runs[0], runs[1]);
  if (a.common.json) {
    fmt::print("{}\n", nlohmann::json{{"equal", d.equal()},
                                      {"config", d.config},
                                      {"metrics", d.metrics.value_or("")},
                                      {"tensors", d.tensors.value_or("")}}
                           .dump());
    return d.equal() ? 0 : 1;
  }
  if (d.equal()) fmt::print("equal: configuration, metrics and parameters\n");
  for (const auto& line : d.config) fmt::print("config    {}\n", line);
  if (d.metrics) fmt::print("metrics   {}\n", *d.metrics);
  if (d.tensors) fmt::print("tensors   {}\n", *d.tensors);
  return d.equal() ? 0 : 1;
}

const Registration verify_command({.name = "verify",
                                   .group = Group::runs,
                                   .help = "run a run again and compare every bit that it kept",
                                   .example = "plumb verify runs/seed7 --threads 1",
                                   .words = {{.name = "RUN", .help = "the folder of the run"}},
                                   .options = {},
                                   .without = {"--out", "--set", "--jobs", "--dry-run"},
                                   .run = verify});
const Registration diff_command({.name = "diff",
                                 .group = Group::results,
                                 .help = "what differs between two runs, configuration first",
                                 .example = "plumb diff runs/seed7 runs/seed8",
                                 .words = {{.name = "RUN", .help = "two run folders", .many = true}},
                                 .options = {},
                                 .without = {"--out", "--set", "--device", "--jobs", "--dry-run"},
                                 .run = diff});

}  // namespace
}  // namespace plumb::cli
