// Serial optimiser loops, one set for each instruction set.
#pragma once

#include <stdint.h>

namespace plumb::cpu {

// The constants of one slice, already in the type of the arena.
template <class T>
struct AdamConstants {
  T beta1, rest1, beta2, rest2;  // beta and 1 - beta
  T bias1, bias2, eps, lr, decay, gradient_scale;
  bool atan2;
};

struct OptimiserTable {
  void (*adam_f32)(const AdamConstants<float>& c, float* param, const float* grad, float* m, float* u, int64_t n);
  void (*adam_f64)(const AdamConstants<double>& c, double* param, const double* grad, double* m, double* u, int64_t n);
};

namespace baseline {
const OptimiserTable& optimiser_table();
}
namespace avx2 {
const OptimiserTable& optimiser_table();
}
namespace avx512 {
const OptimiserTable& optimiser_table();
}

}  // namespace plumb::cpu
