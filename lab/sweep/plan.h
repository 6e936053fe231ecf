// A sweep before anything runs: the axes of the table [sweep], their product, and the configuration of each member.
//   [sweep]
//   "schedule.lr" = [1e-3, 1e-2]                              # a key of the configuration
//   "run.seed" = [0, 1, 2]
//   size = [{ name = "w32", "model.width" = 32 }, { name = "w64", "model.width" = 64 }]   # several keys at once
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lab/config/value.h"
#include "lab/run/run_config.h"

namespace plumb::lab {

// One place on an axis: the keys it sets.
struct SweepPoint {
  std::string name;
  std::vector<std::pair<std::string, Value>> settings;
};

struct SweepAxis {
  std::string name;  // a key ("schedule.lr"), or what the file calls it ("size")
  std::vector<SweepPoint> points;
};

struct SweepMember {
  std::string name;             // of its folder: the names of its points
  std::vector<std::size_t> at;  // its point on each axis
  RunConfig config;             // divergence is recorded: it is a result here
};

struct SweepPlan {
  std::vector<SweepAxis> axes;
  std::vector<SweepMember> members;  // the last axis changes first

  // The axis that sets `key` and nothing else; -1 where there is none.
  int axis_of(const std::string& key) const;
};

// Reads [sweep] and every member's configuration. UserError with its place for a key that does not exist, an empty list,
// two equal points, two axes that set one key, or a member whose configuration does not hold.
SweepPlan plan_sweep(const Value& root);

}  // namespace plumb::lab
