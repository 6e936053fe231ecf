// What the members of a sweep came to: one row for each, as CSV and HDF5, and what follows from them.
#pragma once

#include <string>
#include <vector>

#include "lab/report/html.h"
#include "lab/sweep/plan.h"
#include "lab/sweep/sensitivity.h"

namespace plumb::lab {

enum class MemberState { missing, unfinished, done, failed };

struct MemberResult {
  MemberState state = MemberState::missing;
  std::string status = {};  // "finished", "stopped early", "diverged", "unfinished", "not begun"; or why it failed
  std::int64_t steps = 0;
  double initial_loss = 0, loss = 0, val_loss = 0;  // of training at step 1 and at the end; NaN where unknown
  double max_attn_logit_block0 = 0;                 // at the end; NaN where unknown
};

// Reads a member's run folder. One whose configuration is another is an error: the folder belongs to another sweep.
MemberResult result_of(const SweepMember& member, const std::string& run_folder);

// table.csv and table.h5 in `folder`: a row for each member in the order of the plan. No clock, path or host is in them, so
// equal sweeps have equal tables.
void write_tables(const SweepPlan& plan, const std::vector<MemberResult>& results, const std::string& folder);

// Members that differ in learning rate and seed alone.
struct Group {
  std::string name;              // the names of its points on the other axes; "" where there are none
  std::vector<double> lrs = {};  // ascending
  std::vector<std::vector<double>> val_losses = {};  // of each rate, by seed; NaN for diverged ones
  double initial_loss = 0;                           // mean
  std::vector<Sensitivity> by_seed = {};             // empty with fewer than two rates
  // Means over seeds, the median of the best rates, the sum of what diverged; only where by_seed is not empty.
  Sensitivity sensitivity() const;
};
// By learning rate where the sweep has such an axis ("schedule.lr"); members that are not done are left out.
std::vector<Group> groups_of(const SweepPlan& plan, const std::vector<MemberResult>& results);

// What the report of a sweep holds: the table, loss against learning rate, and sensitivities.
report::Page sweep_page(const SweepPlan& plan, const std::vector<MemberResult>& results, const std::string& folder,
                        const std::string& config);

// That page as report.html, and its first picture as loss.svg and loss.png.
std::string write_sweep_report(const SweepPlan& plan, const std::vector<MemberResult>& results,
                               const std::string& folder, const std::string& config);

}  // namespace plumb::lab
