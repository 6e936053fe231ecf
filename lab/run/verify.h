// Running a run again and comparing every bit that it kept.
#pragma once

#include <string>

#include "core/backend.h"

namespace plumb::lab {

struct Verdict {
  bool equal = false;
  std::int64_t steps = 0;  // run again
  std::int64_t compared_rows = 0, compared_checkpoints = 0;
  std::string difference;  // the first differing step and metric or tensor
};
Verdict verify_run(const std::string& folder, bool quiet, Device device = cpu_device);

}  // namespace plumb::lab
