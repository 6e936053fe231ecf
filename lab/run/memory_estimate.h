// What a run will take of memory, known before it starts: two steps, an evaluation and a sample on the dry device, where
// the model's own operators ask for the memory they need and none is given.
#pragma once

#include <string>
#include <vector>

#include "lab/run/run_config.h"

namespace plumb::lab {

struct MemoryPart {
  std::string name;
  double bytes = 0;
};

struct MemoryEstimate {
  std::vector<MemoryPart> parts;  // of the whole process at its peak
  double tensors = 0;             // memory_stats().peak of training
  double program = 0;             // of the whole, what this process holds already
  double total() const;
};

// How a run begins: what is read from a checkpoint stays in memory beside the model.
enum class Beginning { fresh, from_parameters, resumed };

MemoryEstimate estimate_memory(const RunConfig& config, Beginning beginning = Beginning::fresh);

// UserError, with what there is and the way out, where the run would take more memory than there is.
void require_memory(const RunConfig& config, Beginning beginning = Beginning::fresh);
// The same for `available` bytes beside what the process holds, which `limit` sets.
void require_memory(const RunConfig& config, Beginning beginning, double available, const std::string& limit);

std::string bytes_text(double bytes);  // "512 B", "3.4 MiB", "12.3 GiB"

}  // namespace plumb::lab
