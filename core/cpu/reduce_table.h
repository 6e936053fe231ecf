// Serial reductions on raw memory, one set for each instruction set; the order of additions is stated in reduce.h.
#pragma once

#include <stdint.h>

#include "core/kernel_ops.h"

namespace plumb::cpu {

// The reduction of a block (see reduce.h) of n elements.
template <class T>
struct ReduceLoops {
  // `n` neighbours to one value.
  T (*block)(kernels::Reduce op, const T* x, int64_t n);
  // n rows of `columns` neighbours, `row_step` elements apart, to one row.
  void (*block_columns)(kernels::Reduce op, const T* x, int64_t row_step, int64_t n, int64_t columns, T* out);
  // out [columns] += the sum of n rows, added one after the other.
  void (*add_rows)(const T* x, int64_t row_step, int64_t n, int64_t columns, T* out);
};

struct ReduceTable {
  ReduceLoops<float> f32;
  ReduceLoops<double> f64;
  double (*square_block_f32)(const float* x, int64_t n);  // squares are added in f64
  double (*square_block_f64)(const double* x, int64_t n);
};

namespace baseline {
const ReduceTable& reduce_table();
}
namespace avx2 {
const ReduceTable& reduce_table();
}
namespace avx512 {
const ReduceTable& reduce_table();
}

}  // namespace plumb::cpu
