// Runs the members of a sweep as processes, several at a time, in one folder:
//   sweep.toml  configs/NAME.toml  runs/NAME/  logs/NAME.txt  table.csv  table.h5  report.html  loss.svg  loss.png
// Started again, it does what is missing: members that are done stay, others are resumed. More points may be added.
#pragma once

#include <string>
#include <vector>

#include "lab/sweep/results.h"

namespace plumb::lab {

struct SweepRequest {
  std::string folder;
  std::string plumb = {};  // the command line to run; empty = this program
  std::vector<std::string> plugins = {};
  std::string config = {};  // the text of the sweep, for the folder and the report
  std::size_t jobs = 1;     // at once
  int threads = 1;          // of each
  std::string device = "cpu";
  bool quiet = false;
};

struct SweepOutcome {
  std::vector<MemberResult> results;  // in the order of the plan
  bool interrupted = false;
  std::string stopped;  // why it ended early: a full disk
  std::string report;
};

// UserError where another sweep works in the folder, or a run in it has another configuration.
SweepOutcome run_sweep(const SweepPlan& plan, const SweepRequest& request);

}  // namespace plumb::lab
