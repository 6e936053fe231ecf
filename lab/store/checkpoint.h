// Checkpoints: everything that a run resumes from, as one sealed HDF5 file, and the folder that keeps several.
// A checkpoint holds no time, path, thread count or command: the same state is the same bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/files/digest.h"

namespace plumb::store {

using files::NamedTensor;
using files::Path;

struct Checkpoint {
  std::int64_t step = 0;  // optimiser steps done
  std::int64_t seed = 0;
  std::string config;                // the resolved config.toml; its digest is stored beside it
  std::string isa;                   // that made the numbers: resuming under another one changes bits
  std::vector<NamedTensor> tensors;  // names start with "params/", "optim/" or "state/"

  const Tensor* find(const std::string& name) const;  // or null
};

// `path` is replaced atomically; on any failure what stood there stays.
void save_checkpoint(const Path& path, const Checkpoint& checkpoint);

// Reads and verifies every digest; UserError names what is damaged. With a group ("params") only its tensors are read.
Checkpoint load_checkpoint(const Path& path, const std::string& group = "");

// Empty when the file is a whole checkpoint, else what is wrong with it.
std::string damage_of_checkpoint(const Path& path);

// The steps that a folder of checkpoints has a file of, ascending. Reads names only.
std::vector<std::int64_t> checkpointed_steps(const Path& folder);

// What to keep: the last n (0: all), and every k-th step for good (0: none beyond the last n).
struct Retention {
  int keep_last = 0;
  std::int64_t keep_every = 0;
};

// A folder of NNNNNN.h5, one for each checkpointed step.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(Path folder);  // makes it, and removes temporaries of dead processes

  const Path& path() const { return folder_; }
  Path path_of(std::int64_t step) const;
  std::vector<std::int64_t> steps() const { return checkpointed_steps(folder_); }

  // Saves, then removes what the retention lets go; never the last whole one.
  Path save(const Checkpoint& checkpoint, const Retention& retention = {}) const;

  struct Found {
    std::optional<Checkpoint> checkpoint;  // the newest that verifies, if any
    std::vector<std::string> damaged;      // what was wrong with newer ones, one sentence each
  };
  Found newest(const std::function<bool(std::int64_t step)>& usable = {}) const;

 private:
  void prune(const Retention& retention) const;
  Path folder_;
};

}  // namespace plumb::store
