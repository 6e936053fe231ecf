// A straight line through points: its slope, and how sure that is.
#pragma once

#include <cstdint>
#include <span>

namespace plumb::lab {

// With its interval of 95 % (Student's t); unbounded where there are no more than two points.
struct Slope {
  double value = 0, low = 0, high = 0;
};
// Least squares. UserError where there are not two different x.
Slope slope_of(std::span<const double> x, std::span<const double> y);

// P(|t| <= x) of Student's t with a whole number of degrees of freedom, and its inverse.
double student_within(double x, std::int64_t freedom);
double student_bound(double probability, std::int64_t freedom);

}  // namespace plumb::lab
