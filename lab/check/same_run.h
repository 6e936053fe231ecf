// What two runs of one configuration must share, byte by byte, whatever happened to them on the way.
#pragma once

#include <string>

#include "core/files/system.h"

namespace plumb::lab {

// Empty when configuration, checkpoints and logged values of `a` are those of `b`; else what differs first. Bytes are
// promised for checkpoints, the configuration and the figures drawn; run.h5 also records when and where it was made.
std::string first_difference_of_runs(const files::Path& a, const files::Path& b);

// What a run that ended well must not leave: the first temporary below `folder`, or nothing.
std::string temporary_in(const files::Path& folder);

}  // namespace plumb::lab
