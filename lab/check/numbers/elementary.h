// The elementary functions of the CPU's vector kernels, each with a reference from the C library and what is allowed.
#pragma once

#include <utility>
#include <vector>

#include "core/kernel_ops.h"

namespace plumb::lab {

// References in double, enough to pass over what is near, and in 80 bits for the rest.
struct UnaryFunction {
  const char* name;
  kernels::Unary op;
  double f32_limit, f64_limit;  // units of the last place
  double low;                   // of the inputs they hold for
  double (*wide)(double);
  long double (*exact)(long double);
  std::vector<double> hard;  // where a kernel was farthest off over all floats, this one or one before
};
const std::vector<UnaryFunction>& unary_functions();

// Of two inputs, and fused derivatives (x or y, and g).
struct BinaryFunction {
  const char* name;
  kernels::Binary op;
  double f32_limit, f64_limit;
  long double (*exact)(long double, long double);
  // What the error is measured against: the result, or, where terms cancel, the largest of them.
  long double (*size)(long double a, long double b, long double result);
  double largest_first = 0;  // the first input stays below it; 0 = no limit
  std::vector<std::pair<double, double>> hard{};
};
const std::vector<BinaryFunction>& binary_functions();

}  // namespace plumb::lab
