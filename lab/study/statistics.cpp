// Two passes for each mean; the tail of Student's t is Boost's.
#include "lab/study/statistics.h"

#include <boost/math/distributions/students_t.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/errors.h"
#include "core/random.h"

namespace plumb::lab {

Interval bootstrap_mean(std::span<const double> values, std::uint64_t seed) {
  if (values.empty()) fail("bootstrap_mean", "there is no value to take the mean of");
  constexpr std::uint64_t resamples = 2000;
  const auto n = static_cast<std::uint64_t>(values.size());
  const auto mean_of = [&](auto&& value_at) {
    double sum = 0;
    for (std::uint64_t i = 0; i < n; ++i) sum += value_at(i);
    return sum / static_cast<double>(n);
  };
  const Key key = Key(seed).at("bootstrap");
  std::vector<double> means;
  for (std::uint64_t r = 0; r < resamples; ++r)
    means.push_back(mean_of([&](std::uint64_t i) { return values[key.below(n, r * n + i)]; }));
  std::ranges::sort(means);
  return {mean_of([&](std::uint64_t i) { return values[i]; }), means[resamples / 40],
          means[resamples - 1 - resamples / 40]};
}

PairedTest paired_t(std::span<const double> a, std::span<const double> b, double margin) {
  if (a.size() != b.size() || a.size() < 2)
    fail("paired_t", "lists of {} and {} values; two pairs at least are needed", a.size(), b.size());
  PairedTest test{.n = static_cast<std::int64_t>(a.size())};
  const auto n = static_cast<double>(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    test.mean += (a[i] - b[i]) / n;
    test.wins += a[i] > b[i];
  }
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i] - test.mean) * (a[i] - b[i] - test.mean);
  const double error = std::sqrt(squares / (n - 1) / n), above = test.mean - margin;
  if (!std::isfinite(above)) fail("paired_t", "a value is not a number");
  if (error == 0) {
    test.t = above == 0 ? 0 : std::copysign(std::numeric_limits<double>::infinity(), above);
    test.p = above > 0 ? 0 : 1;
    return test;
  }
  test.t = above / error;
  test.p = boost::math::cdf(boost::math::complement(boost::math::students_t(n - 1), test.t));
  return test;
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
  const double wide =
      x.size() < 3 ? std::numeric_limits<double>::infinity()
                   : boost::math::quantile(boost::math::students_t(n - 2), 0.975) * std::sqrt(residue / (n - 2) / xx);
  return {slope, slope - wide, slope + wide};
}

}  // namespace plumb::lab
