// How the end of a run is shown, for train and resume.
#pragma once

#include <string>

#include "lab/cli/command.h"
#include "lab/run/run_loop.h"

namespace plumb::cli {

// Writes the report, prints loss beside floor, sample and paths (or one JSON object), and gives the exit code.
int show_outcome(const Arguments& a, const std::string& folder, const lab::RunOutcome& outcome);

}  // namespace plumb::cli
