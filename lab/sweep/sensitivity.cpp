// Over a grid sorted by rate, so that ties go to the lowest.
#include "lab/sweep/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/errors.h"

namespace plumb::lab {

Sensitivity lr_sensitivity(std::span<const double> lrs, std::span<const double> losses, double initial_loss,
                           double lr_min, double lr_max) {
  if (lrs.size() != losses.size())
    fail("lr_sensitivity", "{} learning rates do not fit {} losses", lrs.size(), losses.size());
  if (!std::isfinite(initial_loss)) fail("lr_sensitivity", "the initial loss is {}, not a number", initial_loss);
  struct Place {
    double lr, loss;
  };
  std::vector<Place> grid;
  Sensitivity s;
  constexpr double room = 1e-9;  // 3e-4 written in two ways is one rate
  for (std::size_t i = 0; i < lrs.size(); ++i) {
    if (!(lrs[i] >= lr_min * (1 - room) && lrs[i] <= lr_max * (1 + room))) continue;
    const bool learnt = std::isfinite(losses[i]) && losses[i] < initial_loss;
    s.diverged += !learnt;
    grid.push_back({lrs[i], learnt ? losses[i] : initial_loss});
  }
  if (grid.size() < 2)
    fail("lr_sensitivity", "{} of {} learning rates lie within [{}, {}]; two are needed", grid.size(), lrs.size(),
         lr_min, lr_max);
  std::ranges::stable_sort(grid, {}, &Place::lr);
  const auto best = std::ranges::min_element(grid, {}, &Place::loss);  // ties: the lowest rate
  s.best_loss = best->loss, s.best_lr = best->lr;
  const auto mean_from = [&](auto from) {
    double sum = 0;
    for (auto it = from; it != grid.end(); ++it) sum += it->loss - s.best_loss;
    return sum / static_cast<double>(grid.end() - from);
  };
  s.value = mean_from(grid.begin());
  s.high_side = mean_from(best);
  return s;
}

}  // namespace plumb::lab
