// plumb sweep.
#include "lab/sweep/sweep.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <thread>

#include "lab/cli/packing.h"
#include "lab/config/read.h"
#include "lab/run/available_memory.h"
#include "lab/run/memory_estimate.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;

// All that run at once must fit in memory; the largest member stands for each.
void require_memory(const lab::SweepPlan& plan, std::size_t jobs) {
  double largest = 0;
  std::string name;
  for (const auto& m : plan.members)
    if (const double bytes = lab::estimate_memory(m.config).total(); bytes > largest) largest = bytes, name = m.name;
  const auto available = lab::available_memory();
  if (largest * static_cast<double>(jobs) > available.bytes)
    throw UserError(fmt::format("{} members at once would take about {}, and {} leaves {}", jobs,
                                lab::bytes_text(largest * static_cast<double>(jobs)), available.limit,
                                lab::bytes_text(available.bytes)),
                    name, "use fewer --jobs; --no-memory-check begins all the same");
}

nlohmann::json number_or_null(double x) { return std::isfinite(x) ? nlohmann::json(x) : nlohmann::json(nullptr); }

void print_json(const lab::SweepPlan& plan, const lab::SweepOutcome& out, const std::string& folder) {
  nlohmann::json members = nlohmann::json::array();
  for (std::size_t i = 0; i < plan.members.size(); ++i)
    members.push_back({{"member", plan.members[i].name},
                       {"status", out.results[i].status},
                       {"steps", out.results[i].steps},
                       {"val_loss", number_or_null(out.results[i].val_loss)}});
  fmt::print("{}\n", nlohmann::json{{"sweep", folder}, {"members", members}, {"report", out.report}}.dump());
}

void print_groups(const lab::SweepPlan& plan, const lab::SweepOutcome& out) {
  const auto groups = lab::groups_of(plan, out.results);
  if (groups.empty() || groups[0].by_seed.empty()) return;
  fmt::print("{:<28} {:>12} {:>12} {:>10} {:>10}\n", "group", "sensitivity", "high side", "best rate", "best loss");
  for (const auto& g : groups) {
    if (g.by_seed.empty()) continue;
    const auto s = g.sensitivity();
    fmt::print("{:<28} {:>12.4f} {:>12.4f} {:>10g} {:>10.4f}\n", g.name.empty() ? "all" : g.name, s.value, s.high_side,
               s.best_lr, s.best_loss);
  }
}

int sweep(const Arguments& a) {
  const std::string file = a.word("CONFIG");
  const Value root = load_config(file, a.common.set);
  const lab::SweepPlan plan = lab::plan_sweep(root);
  lab::SweepRequest request{
      .folder = a.common.out.empty() ? (fs::path("sweeps") / fs::path(file).stem()).string() : a.common.out,
      .plugins = a.common.plugins,
      .config = write_toml(root),
      .device = a.common.device.empty() ? "cpu" : a.common.device,
      .quiet = a.common.quiet || a.common.json};
  pack(a.common, request);
  if (a.common.dry_run) {
    for (const auto& m : plan.members) fmt::print("{}\n", m.name);
    fmt::print(stderr, "{} members, {} at once with {} thread{} each\n", plan.members.size(), request.jobs,
               request.threads, request.threads == 1 ? "" : "s");
    return 0;
  }
  if (!a.has("--no-memory-check")) require_memory(plan, request.jobs);
  const lab::SweepOutcome out = lab::run_sweep(plan, request);
  const auto count = [&](lab::MemberState s) { return std::ranges::count(out.results, s, &lab::MemberResult::state); };
  const auto done = count(lab::MemberState::done), failed = count(lab::MemberState::failed);
  if (a.common.json) {
    print_json(plan, out, request.folder);
  } else {
    print_groups(plan, out);
    fmt::print("sweep     {} ({} of {} members done, {} failed)\ntable     {}/table.csv, table.h5\nreport    {}\n",
               request.folder, done, out.results.size(), failed, request.folder, out.report);
  }
  if (!out.stopped.empty())
    throw UserError("the sweep has stopped: " + out.stopped, request.folder,
                    "make room; the same command then goes on with what is missing");
  if (out.interrupted) {
    fmt::print(stderr, "interrupted; the same command goes on\n");
    return 130;
  }
  return done == std::ssize(out.results) ? 0 : 1;
}

const Registration sweep_command({.name = "sweep",
                                  .group = Group::studies,
                                  .help = "run every combination of the lists in [sweep]; compare them",
                                  .example = "plumb sweep examples/29_small_scale_proxies/qk_norm.toml --jobs 2",
                                  .words = {{.name = "CONFIG", .help = "a TOML file with a table [sweep]"}},
                                  .options = {{"--no-memory-check", "",
                                               "begin even if the members will not fit in memory"}},
                                  .without = {},
                                  .run = sweep});

}  // namespace

// Two processes whose threads share a core wait for each other: a parallel loop takes a thousand times as long.
void pack(const CommonFlags& flags, lab::SweepRequest& request) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  request.threads = flags.threads > 0 ? flags.threads : flags.jobs > 0 ? std::max(1, cores / flags.jobs) : 1;
  request.jobs = static_cast<std::size_t>(flags.jobs > 0 ? flags.jobs : std::max(1, cores / request.threads));
  if (static_cast<int>(request.jobs) * request.threads > cores)
    throw UsageError(fmt::format("{} jobs of {} threads do not fit {} cores", request.jobs, request.threads, cores), "",
                     "leave --jobs or --threads out");
}

}  // namespace plumb::cli
