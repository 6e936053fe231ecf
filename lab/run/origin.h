// What a model starts from: the parameters of a checkpoint file, or of the newest whole checkpoint of a run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/store/checkpoint.h"
#include "optim/optimizer.h"

namespace plumb::lab {

struct Origin {
  store::Path path;  // of the checkpoint file
  std::int64_t step = 0;
  std::vector<optim::NamedTensor> parameters;
  std::vector<std::string> warnings;  // newer checkpoints that are damaged, one sentence each
};

// UserError where there is no whole checkpoint.
Origin read_origin(const std::string& run_or_checkpoint);

// A run that starts from another one keeps the parameters as origin.h5, so that it can be resumed and verified whatever
// becomes of the other. One that starts from fresh parameters has no such file.
void keep_origin(const std::string& folder, const std::optional<Origin>& origin);
// Those parameters; nothing for a run that started from fresh ones.
std::optional<std::vector<optim::NamedTensor>> kept_origin(const std::string& folder);

}  // namespace plumb::lab
