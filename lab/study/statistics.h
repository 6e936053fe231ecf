// What claims are judged by: intervals and tests over seeds.
#pragma once

#include <cstdint>
#include <span>

namespace plumb::lab {

struct Interval {
  double mean = 0, low = 0, high = 0;
};
// The mean with its 95 % bootstrap interval: percentiles of the means of 2000 resamples, drawn by Philox from `seed`. One
// value is its own interval. UserError for none.
Interval bootstrap_mean(std::span<const double> values, std::uint64_t seed = 0);

// Whether the mean of a - b, pair by pair, is above `margin`: Student's t, one-sided.
struct PairedTest {
  std::int64_t n = 0, wins = 0;   // pairs, and those with a > b
  double mean = 0, t = 0, p = 1;  // of the differences; p of a mean this high if the true one were the margin
};
// UserError for lists of different lengths or fewer than two pairs. Differences without any spread: t is infinite, p is 0
// or 1.
PairedTest paired_t(std::span<const double> a, std::span<const double> b, double margin = 0);

// A straight line through points by least squares: its slope, with its interval of 95 % (Student's t), which is unbounded
// for two points. UserError where no two x differ.
struct Slope {
  double value = 0, low = 0, high = 0;
};
Slope slope_of(std::span<const double> x, std::span<const double> y);

}  // namespace plumb::lab
