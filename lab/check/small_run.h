// The run that checks do again and again, and a digest of all it did.
#pragma once

#include <string>

#include "core/parallel.h"
#include "lab/run/trainer.h"

namespace plumb::lab {

RunConfig small_config();     // small, with every kind of operator a GPT has
RunConfig smallest_config();  // milliseconds, and files as small as they get: 4 steps, checkpoints of 2 and 4

void start_quietly(const RunConfig& config, const std::string& folder);
// Resumes the run there, or starts it where none is yet.
void go_on_quietly(const RunConfig& config, const std::string& folder);

// Digest of everything after some steps: parameters, moments, states, metrics, validation loss.
std::string outcome_of(const RunConfig& config, std::int64_t steps);

// Puts the number of threads back at the end.
struct ThreadsKept {
  int before = num_threads();
  ~ThreadsKept() { set_num_threads(before); }
};

}  // namespace plumb::lab
