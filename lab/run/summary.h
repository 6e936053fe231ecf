// Runs as others look at them: reports, lists, differences.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/run/run_config.h"
#include "lab/store/run_store.h"

namespace plumb::lab {

// Writes loss.svg, loss.png and report.html into the first run's folder (several runs: overlaid), or into `out`.
// Gives the path of the report.
std::string write_report(const std::vector<std::string>& runs, const std::string& out = {});

struct RunSummary {
  std::string name, status;  // "finished", "stopped early", "diverged", "unfinished", "damaged"
  std::int64_t steps = 0, seed = 0;
  std::optional<double> val_loss, loss;
};
RunSummary summarise(const store::RunContent& run);
bool is_run(const std::string& folder);  // one was begun there
// All runs under a folder, by name.
std::vector<std::string> runs_under(const std::string& folder);

// What differs first: the configuration, then the metrics, then the parameters of the last checkpoints.
struct Difference {
  std::vector<std::string> config;     // "schedule.lr: 0.01 | 0.03"
  std::optional<std::string> metrics;  // "loss differs first at step 20: 4.1 | 4.2"
  std::optional<std::string> tensors;  // "params/head differs first at index 7 (step 300): 0.1 | 0.2"
  bool equal() const { return config.empty() && !metrics && !tensors; }
};
// The keys whose values differ: "schedule.lr: 0.01 | 0.03".
std::vector<std::string> config_difference(RunConfig a, RunConfig b);
Difference compare_runs(const std::string& a, const std::string& b);

// Two sets of named tensors: empty when equal to the bit, else the first tensor and index that differ.
std::string first_difference(const std::vector<files::NamedTensor>& a, const std::vector<files::NamedTensor>& b);

}  // namespace plumb::lab
