// The runs on which promises are tried: the small configuration with each choice that a run can make, one at a time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/run/run_config.h"

namespace plumb::lab {

struct Variant {
  std::string name;  // "model.norm = rmsnorm"; "plain"
  RunConfig config;  // one block, wide enough that kernels share their work out
};

// Choices and switches are found in the fields of the options, so that a new one is tried without being listed here.
std::vector<Variant> variants();

// Runs together with an MLP, the other family of models: how to do so many steps, and a digest of all that came of them.
struct Subject {
  std::string name;
  std::function<std::string(std::int64_t steps)> outcome;
};
std::vector<Subject> subjects();

// Digest of an MLP's parameters after some steps of AdamW, its batch cut into pieces of `micro` rows.
std::string outcome_of_mlp(std::int64_t steps, std::int64_t micro);

}  // namespace plumb::lab
