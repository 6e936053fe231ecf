// How the members of a sweep share the cores.
#pragma once

#include "lab/cli/command.h"
#include "lab/sweep/sweep.h"

namespace plumb::cli {

// Sets jobs and threads from --jobs and --threads: one thread each and a job for every core where nothing is said.
// UsageError where they need more cores than there are.
void pack(const CommonFlags& flags, lab::SweepRequest& request);

}  // namespace plumb::cli
