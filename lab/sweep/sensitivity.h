// How much a loss suffers from a learning rate that is not the best one (arXiv 2309.14322, section 2.2).
#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace plumb::lab {

struct Sensitivity {
  double value = 0;      // mean over the grid of min(loss, initial loss) - best loss, nats
  double high_side = 0;  // the same over the rates from the best one on: short runs leave small rates undertrained
  double best_loss = 0, best_lr = 0;
  std::int64_t diverged = 0;  // losses that are not finite, or not below the initial one
};

// Over the learning rates within [lr_min, lr_max], equally weighted; a loss that is not finite counts as `initial_loss`.
// UserError for lists that do not match, and where fewer than two rates lie within.
Sensitivity lr_sensitivity(std::span<const double> lrs, std::span<const double> losses, double initial_loss,
                           double lr_min = 0, double lr_max = std::numeric_limits<double>::infinity());

}  // namespace plumb::lab
