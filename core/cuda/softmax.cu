// Softmax and log-softmax over the last axis: a block for each row, trees by the row's length.
#include <limits>

#include "core/cuda/backend.h"
#include "core/cuda/functions.h"

namespace plumb::cuda {
namespace {

template <int N>
struct RowsOf {  // the rows of N operands
  Layout<N> starts;
  i64 n = 0;
  i64 step[N] = {};
  i64 blocks() const { return starts.count < most_blocks ? starts.count : most_blocks; }
};
template <int N>
RowsOf<N> rows_of(const Shape& shape, const Strides* const (&strides)[N]) {
  RowsOf<N> r;
  Shape outer = shape;
  outer[outer.size() - 1] = 1;
  r.starts = layout_of<N>(outer, strides);
  r.n = shape.back();
  for (int i = 0; i < N; ++i) r.step[i] = strides[i]->back();
  return r;
}

template <class T>
__global__ void softmax_kernel(RowsOf<2> rows, bool log, const T* x, T* out) {
  using A = Compute<T>;
  __shared__ A shared[most_row_threads];
  for (i64 row = blockIdx.x; row < rows.starts.count; row += gridDim.x) {
    const auto o = offsets_of(rows.starts, row);
    const auto at = [&](i64 i) { return widen(x[o.at[0] + i * rows.step[0]]); };
    A highest = -std::numeric_limits<A>::infinity();
    for (i64 i = threadIdx.x; i < rows.n; i += blockDim.x) highest = Larger{}(highest, at(i));
    highest = block_tree(highest, shared, Larger{});
    A sum = 0;
    for (i64 i = threadIdx.x; i < rows.n; i += blockDim.x) sum += std::exp(at(i) - highest);
    sum = block_tree(sum, shared, Add{});
    const A log_sum = std::log(sum);
    for (i64 i = threadIdx.x; i < rows.n; i += blockDim.x) {
      const A z = at(i) - highest;
      out[o.at[1] + i * rows.step[1]] = narrow<T>(log ? z - log_sum : std::exp(z) / sum);
    }
  }
}

// dx = y (g - sum(g y)), or g - e^y sum(g) where y is the logarithm.
template <class T>
__global__ void softmax_grad_kernel(RowsOf<3> rows, bool log, const T* y, const T* g, T* dx) {
  using A = Compute<T>;
  __shared__ A shared[most_row_threads];
  for (i64 row = blockIdx.x; row < rows.starts.count; row += gridDim.x) {
    const auto o = offsets_of(rows.starts, row);
    const auto out_at = [&](i64 i) { return widen(y[o.at[0] + i * rows.step[0]]); };
    const auto grad_at = [&](i64 i) { return widen(g[o.at[1] + i * rows.step[1]]); };
    A sum = 0;
    for (i64 i = threadIdx.x; i < rows.n; i += blockDim.x) sum += log ? grad_at(i) : grad_at(i) * out_at(i);
    sum = block_tree(sum, shared, Add{});
    for (i64 i = threadIdx.x; i < rows.n; i += blockDim.x) {
      const A value = log ? grad_at(i) - std::exp(out_at(i)) * sum : out_at(i) * (grad_at(i) - sum);
      dx[o.at[2] + i * rows.step[2]] = narrow<T>(value);
    }
  }
}

}  // namespace

void CudaBackend::softmax(const Raw& x, bool log, const Raw& out) {
  const auto rows = rows_of<2>(x.shape, {&x.strides, &out.strides});
  if (rows.n == 0) return;
  visit_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream(), rows.blocks(), row_threads(rows.n), softmax_kernel<T>, rows, log, static_cast<const T*>(x.data),
           static_cast<T*>(out.data));
  });
}

void CudaBackend::softmax_grad(const Raw& y, const Raw& g, bool log, const Raw& dx) {
  const auto rows = rows_of<3>(y.shape, {&y.strides, &g.strides, &dx.strides});
  if (rows.n == 0) return;
  visit_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream(), rows.blocks(), row_threads(rows.n), softmax_grad_kernel<T>, rows, log,
           static_cast<const T*>(y.data), static_cast<const T*>(g.data), static_cast<T*>(dx.data));
  });
}

}  // namespace plumb::cuda
