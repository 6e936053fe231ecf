// Softmax of single rows, for each instruction set.
#pragma once

#include <cstdint>

namespace plumb::cpu {

struct SoftmaxTable {
  void (*row_f32)(const float* x, float* y, std::int64_t n, bool log);
  void (*row_f64)(const double* x, double* y, std::int64_t n, bool log);
  void (*grad_f32)(const float* y, const float* g, float* dx, std::int64_t n, bool log);
  void (*grad_f64)(const double* y, const double* g, double* dx, std::int64_t n, bool log);

  auto row(float) const { return row_f32; }
  auto row(double) const { return row_f64; }
  auto grad(float) const { return grad_f32; }
  auto grad(double) const { return grad_f64; }
};
namespace baseline {
const SoftmaxTable& softmax_table();
}
namespace avx2 {
const SoftmaxTable& softmax_table();
}
namespace avx512 {
const SoftmaxTable& softmax_table();
}

}  // namespace plumb::cpu
