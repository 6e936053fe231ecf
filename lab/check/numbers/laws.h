// The distributions that tensors are drawn from, and histograms of many draws.
#pragma once

#include <string>
#include <vector>

#include "core/kernel_ops.h"
#include "core/random.h"
#include "lab/check/numbers/statistics.h"

namespace plumb::lab {

struct Law {
  std::string name;
  kernels::Distribution distribution;
  DType dtype;
  // Bins of width 1 / per_unit from `low` on, exact in binary; the outermost two hold all beyond.
  double low, per_unit;
  std::size_t bins;
  long double (*below)(long double x);  // the distribution function
  bool rounds = true;                   // draws are rounded to the dtype; those of the uniform lie on a grid
};
std::vector<Law> laws();

// The first n draws of a stream.
Histogram histogram_of(const Law& law, const Key& key, std::int64_t n);

}  // namespace plumb::lab
