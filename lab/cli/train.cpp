// plumb train and plumb resume.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

#include "lab/cli/command.h"
#include "lab/cli/outcome.h"
#include "lab/config/read.h"
#include "lab/run/available_memory.h"
#include "lab/run/memory_estimate.h"
#include "lab/run/run_loop.h"
#include "lab/run/summary.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;

// runs/NAME, or runs/NAME-2, ...: the first that is not taken.
std::string free_folder(const std::string& config) {
  const fs::path base = fs::path("runs") / fs::path(config).parent_path().filename();
  const std::string stem = base.string() + "_" + fs::path(config).stem().string();
  std::string folder = stem;
  for (int i = 2; fs::exists(folder); ++i) folder = fmt::format("{}-{}", stem, i);
  return folder;
}

// To stderr: what a dry run prints on stdout is a configuration.
void show_memory_need(const lab::RunConfig& config) {
  const auto available = lab::available_memory();
  fmt::print(stderr, "memory    about {}; {} leaves {}\n", lab::bytes_text(lab::estimate_memory(config).total()),
             available.limit, lab::bytes_text(available.bytes));
}

int train(const Arguments& a) {
  const Value root = load_config(a.word("CONFIG"), a.common.set);
  if (const Value* lists = root.find("sweep"))
    throw UserError("this is a sweep, not one run", lists->where.text(), "plumb sweep runs all of it");
  lab::RunConfig config;
  read(root, config);
  if (a.common.dry_run) {
    fmt::print("{}", a.common.json ? write_json(to_value(config)) + "\n" : resolved_toml(config));
    show_memory_need(config);
    if (!a.has("--no-memory-check")) lab::require_memory(config);
    return 0;
  }
  const std::string folder = a.common.out.empty() ? free_folder(a.word("CONFIG")) : a.common.out;
  std::string overrides;
  for (const auto& s : a.common.set) overrides += fmt::format(" --set '{}'", s);
  const lab::RunRequest request{.folder = folder,
                                .from = a.text("--from"),
                                .command = fmt::format("plumb train {}{}", a.word("CONFIG"), overrides),
                                .quiet = a.common.quiet || a.common.json,
                                .sample = true,
                                .check_memory = !a.has("--no-memory-check"),
                                .device = parse_device(a.common.device.empty() ? "cpu" : a.common.device)};
  return show_outcome(a, folder, with_places(root, [&] { return lab::start_run(config, request); }));
}

int resume(const Arguments& a) {
  const std::string folder = a.word("RUN");
  std::optional<lab::RunConfig> expected;
  if (a.has("--config") || !a.common.set.empty()) {
    lab::RunConfig config = lab::config_of_run(folder);
    Value root = a.has("--config") ? load_config(a.text("--config")) : to_value(config);
    for (const auto& s : a.common.set) apply_set(root, s);
    lab::RunConfig wanted;
    read(root, wanted);
    expected = wanted;
  }
  const lab::RunRequest request{.folder = folder,
                                .from = {},
                                .command = "plumb resume",
                                .quiet = a.common.quiet || a.common.json,
                                .sample = true,
                                .check_memory = !a.has("--no-memory-check"),
                                .device = parse_device(a.common.device.empty() ? "cpu" : a.common.device)};
  return show_outcome(a, folder, lab::resume_run(request, expected));
}

const Option unchecked{"--no-memory-check", "", "begin even if it will not fit in memory"};
const Option unreported{"--no-report", "", "draw no plots and write no report at the end"};

const Registration train_command(
    {.name = "train",
     .group = Group::runs,
     .help = "train a model from a configuration",
     .example = "plumb train examples/copy_language/gpt.toml --set run.seed=7 --out runs/seed7",
     .words = {{.name = "CONFIG", .help = "a TOML file"}},
     .options = {{"--from", "CKPT", "start from the parameters of a run or checkpoint file"}, unchecked, unreported},
     .without = {"--jobs"},
     .run = train});
const Registration resume_command(
    {.name = "resume",
     .group = Group::runs,
     .help = "go on with a run that was stopped or killed, to the same bits",
     .example = "plumb resume runs/seed7",
     .words = {{.name = "RUN", .help = "the folder of the run"}},
     .options = {{"--config", "FILE", "refuse a run that was not started with this one"}, unchecked, unreported},
     .without = {"--out", "--jobs", "--dry-run"},
     .run = resume});

}  // namespace

int show_outcome(const Arguments& a, const std::string& folder, const lab::RunOutcome& out) {
  for (const auto& w : out.warnings) fmt::print(stderr, "warning: {}\n", w);
  const bool reported = out.ending != lab::Ending::interrupted && !a.has("--no-report");
  const std::string report = reported ? lab::write_report({folder}) : std::string();
  if (a.common.json) {
    nlohmann::json j{{"run", folder}, {"ending", name_of(out.ending)}, {"steps", out.steps}};
    if (out.ending != lab::Ending::interrupted && out.ending != lab::Ending::diverged) j["val_loss"] = out.val_loss;
    if (out.floor) j["entropy_floor"] = *out.floor;
    if (!out.blame.empty()) j["blame"] = out.blame;
    if (!report.empty()) j["report"] = report;
    fmt::print("{}\n", j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return out.ending == lab::Ending::interrupted ? 130 : 0;
  }
  fmt::print("run       {} ({}, {} steps)\n", folder, name_of(out.ending), out.steps);
  if (out.ending == lab::Ending::interrupted) {
    fmt::print("resume    plumb resume {}\n", folder);
    return 130;
  }
  if (!out.blame.empty()) fmt::print("diverged  {}\n", out.blame);
  else fmt::print("val_loss  {:.4f} nats/token\n", out.val_loss);
  if (out.floor) fmt::print("floor     {:.4f} nats/token, the entropy of the data: no model can pass it\n", *out.floor);
  if (!out.sample.empty()) fmt::print("sample    {}\n", out.sample);
  if (reported) fmt::print("plots     {0}/loss.svg {0}/loss.png\nreport    {1}\n", folder, report);
  return 0;
}

}  // namespace plumb::cli
