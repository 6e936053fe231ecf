// A stable merge sort of the rows of a matrix by keys, as positions.
#pragma once

#include "core/cuda/backend.h"

namespace plumb::cuda {

// order [rows, n] i64: the positions of keys [rows, n] (contiguous; f64, f32, bf16, i64, i32 or u8) in ascending or
// descending order; equal keys keep their order, NaN counts as the largest.
void sort_rows(cudaStream_t stream, const void* keys, DType dtype, i64 rows, i64 n, bool descending, i64* order);

}  // namespace plumb::cuda
