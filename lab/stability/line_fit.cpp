// Least squares, and Student's t in closed form (Abramowitz and Stegun 26.7.3 and 26.7.4).
#include "lab/stability/line_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/errors.h"

namespace plumb::lab {

double student_within(double x, std::int64_t freedom) {
  const double angle = std::atan(x / std::sqrt(static_cast<double>(freedom))), c = std::cos(angle);
  const bool odd = freedom % 2 == 1;
  double term = odd ? c : 1, sum = 0;
  for (std::int64_t k = odd ? 1 : 0; k <= freedom - 2; k += 2) {
    sum += term;
    term *= c * c * static_cast<double>(k + 1) / static_cast<double>(k + 2);
  }
  return odd ? 2 / std::numbers::pi * (angle + std::sin(angle) * sum) : std::sin(angle) * sum;
}

double student_bound(double probability, std::int64_t freedom) {
  double low = 0, high = 1;
  while (student_within(high, freedom) < probability) high *= 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (student_within(middle, freedom) < probability ? low : high) = middle;
  }
  return high;
}

Slope slope_of(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) fail("slope", "{} abscissas do not fit {} ordinates", x.size(), y.size());
  const auto n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0, residue = 0;
  for (std::size_t i = 0; i < x.size(); ++i) mean_x += x[i] / n, mean_y += y[i] / n;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  if (std::ranges::all_of(x, [&](double v) { return v == x[0]; }))
    throw UserError("a slope needs points at two different places", "slope");
  const double slope = xy / xx;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double off = y[i] - mean_y - slope * (x[i] - mean_x);
    residue += off * off;
  }
  const auto freedom = static_cast<std::int64_t>(x.size()) - 2;
  const double wide = freedom < 1 ? std::numeric_limits<double>::infinity()
                                  : student_bound(0.95, freedom) * std::sqrt(residue / (n - 2) / xx);
  return {slope, slope - wide, slope + wide};
}

}  // namespace plumb::lab
