// Serial random fills, one set for each instruction set, all with the same bits (core/random_math.h).
#pragma once

#include <stdint.h>

#include "core/kernel_ops.h"

namespace plumb::cpu {

struct RandomTable {
  // out[i] is draw first + i of the stream `key`; `d` is not `bits`. a and b as in Backend::random.
  void (*fill_f32)(kernels::Distribution d, uint64_t key, uint64_t first, double a, double b, float* out, int64_t n);
  void (*fill_f64)(kernels::Distribution d, uint64_t key, uint64_t first, double a, double b, double* out, int64_t n);
};

namespace baseline {
const RandomTable& random_table();
}
namespace avx2 {
const RandomTable& random_table();
}
namespace avx512 {
const RandomTable& random_table();
}

}  // namespace plumb::cpu
