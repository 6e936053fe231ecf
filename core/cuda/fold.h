// The last step of a parameter's gradient: sums of examples, added in order onto what is there.
#pragma once

#include "core/cuda/backend.h"

namespace plumb::cuda {

// out [runs, n] = ((out + sums[., 0, .]) + sums[., 1, .]) + ..., sums [runs, examples, n] of f32 or f64.
template <class A>
void fold_examples(cudaStream_t stream, i64 runs, i64 examples, i64 n, const A* sums, void* out, DType dtype);

}  // namespace plumb::cuda
