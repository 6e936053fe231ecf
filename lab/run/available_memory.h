// How much memory this process may still take.
#pragma once

#include <string>

#include "core/files/atomic_file.h"

namespace plumb::lab {

struct AvailableMemory {
  double bytes = 0;
  std::string limit;  // what sets it: "the machine", "the control group", "ulimit -v", "ulimit -d"
};

// The least of what the machine has free, the memory limits of the control groups this process is in (version 1 and 2)
// leave, and ulimit leaves. Files are read under `root`.
AvailableMemory available_memory(const files::Path& root = "/");

// Memory of this process that lies in RAM.
double resident_memory();

}  // namespace plumb::lab
