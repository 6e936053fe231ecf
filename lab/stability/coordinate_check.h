// The coordinate check of Tensor Programs V (arXiv 2203.03466, appendix D.1): how the size of what each part of a model
// gives follows the width while it takes a few steps on one batch. Under muP it does not, once the first step is done.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/run/run_config.h"
#include "lab/study/statistics.h"

namespace plumb::lab {

// Mean absolute value of what a part gives.
struct Observation {
  std::string part;
  double size = 0;
};
// Of every part, before each update: the first are those of the initial values.
using Observations = std::vector<std::vector<Observation>>;

// Trains the configuration's model on one batch at its peak learning rate.
Observations observe(const RunConfig& config, std::int64_t steps);

// catches_up: its first values shrink with the width (as those of the head do under muP, and of the embedding in the
// standard rule), and what is learned makes up for it.
enum class Growth { flat, catches_up, grows, shrinks, unclear, diverged };
const char* name_of(Growth growth);
inline bool passes(Growth growth) { return growth == Growth::flat || growth == Growth::catches_up; }

// By step, from the slope of log2 size against log2 width.
struct PartGrowth {
  std::string part;
  std::vector<Slope> slopes = {};
  std::vector<std::vector<double>> sizes = {};  // of each width, mean over seeds
  Growth verdict = Growth::flat;                // of all steps but the first, whose values are the initial ones
};

struct CoordinateOptions {
  std::vector<std::int64_t> widths{64, 128, 256, 512};
  std::int64_t seeds = 3;
  double tolerance = 0.1;  // a slope within it is flat; one beyond it whose interval is not is unclear
};
std::vector<PartGrowth> check_coordinates(
    const CoordinateOptions& options,
    const std::function<Observations(std::int64_t width, std::int64_t seed)>& observe);

}  // namespace plumb::lab
