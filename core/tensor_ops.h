// Checked, allocating forms of the raw kernels: tensors in, a new tensor out. No gradients here.
#pragma once

#include "core/tensor.h"

namespace plumb::kernels {

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b);  // "[op] mixes f32 and f64 ..."
void check_same_device(const char* op, const Tensor& a, const Tensor& b);
void check_floating(const char* op, const Tensor& x);

Tensor unary(const char* name, Unary op, const Tensor& x);
Tensor binary(const char* name, Binary op, const Tensor& a, const Tensor& b);  // broadcasts
Tensor scalar(const char* name, Binary op, const Tensor& x, double s, bool scalar_first = false);
Tensor select(const char* name, const Tensor& mask, const Tensor& a, const Tensor& b);  // mask u8, all broadcast

// Reduces the axes given (all when empty); kept axes have size 1 when `keep`.
Tensor reduce(const char* name, Reduce op, const Tensor& x, const Dims& axes, bool keep);
Tensor sum_to(const Tensor& x, const Shape& shape);  // the transpose of broadcasting
Tensor arg_max(const Tensor& x, int axis);           // i64, axis kept with size 1
Tensor cumsum(const Tensor& x, int axis, bool reverse);
Tensor argsort(const Tensor& x, bool descending);
Tensor gather(const Tensor& x, const Tensor& index, int axis);
Tensor concat(const std::vector<Tensor>& parts, int axis);
Tensor matmul(const Tensor& a, const Tensor& b);  // batched, broadcasting batch dims
Tensor softmax(const Tensor& x, bool log);        // last axis
bool all_finite(const Tensor& x);
std::int64_t first_non_finite(const Tensor& x);  // row-major index, or -1

// Throws "[op] index 9 at position 3 is outside [0, 5)" unless every index is inside.
void check_index(const char* op, const Tensor& index, std::int64_t low, std::int64_t high);

}  // namespace plumb::kernels
