// Argsort. Runs of length 1, 2, 4, ... are merged pairwise; each element finds its place by binary search in the sister
// run, so every pass is one thread for each element, without exchange between threads.
#include "core/cuda/sort.h"

namespace plumb::cuda {
namespace {

__global__ void identity_kernel(i64 count, i64 n, i64* order) {
  for (i64 i = first_item(); i < count; i += all_threads()) order[i] = i % n;
}

// Whether a must stand before b; NaN is the largest value.
template <class A>
__device__ bool before(A a, A b, bool descending) {
  if (descending) return a > b || (a != a && b == b);
  return a < b || (a == a && b != b);
}

template <class T>
__global__ void merge_kernel(i64 count, i64 n, i64 run, bool descending, const T* keys, const i64* from, i64* to) {
  for (i64 i = first_item(); i < count; i += all_threads()) {
    const i64 row = i / n, at = i % n, own = at / run * run;
    const bool is_left = own / run % 2 == 0;
    const i64 sister = is_left ? own + run : own - run;
    const i64 pair = is_left ? own : sister;
    const T* key = keys + row * n;
    const i64* order = from + row * n;
    const auto mine = widen(key[order[at]]);
    // The elements of the sister run that stand before mine: of equal ones, the left run's come first.
    i64 low = sister < n ? sister : n, high = sister + run < n ? sister + run : n;
    const i64 begin = low;
    while (low < high) {
      const i64 middle = low + (high - low) / 2;
      const auto other = widen(key[order[middle]]);
      const bool passes = is_left ? before(other, mine, descending) : !before(mine, other, descending);
      if (passes) low = middle + 1;
      else high = middle;
    }
    to[row * n + pair + (at - own) + (low - begin)] = order[at];
  }
}

}  // namespace

void sort_rows(cudaStream_t stream, const void* keys, DType dtype, i64 rows, i64 n, bool descending, i64* order) {
  const i64 count = rows * n;
  if (count == 0) return;
  const Scratch other(count * i64{sizeof(i64)}, stream, "argsort");
  int passes = 0;
  for (i64 run = 1; run < n; run *= 2) ++passes;
  i64 *from = passes % 2 ? other.as<i64>() : order,
      *to = passes % 2 ? order : other.as<i64>();  // the last pass ends in `order`
  launch_over(stream, count, identity_kernel, count, n, from);
  visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (i64 run = 1; run < n; run *= 2) {
      launch_over(stream, count, merge_kernel<T>, count, n, run, descending, static_cast<const T*>(keys), from, to);
      std::swap(from, to);
    }
  });
}

void CudaBackend::argsort(const Raw& x, bool descending, const Raw& out) {
  const i64 count = numel(x.shape), n = x.shape.empty() ? 1 : x.shape.back();
  if (count == 0) return;
  const Scratch keys = scratch(count * i64(size_of(x.dtype)), "argsort"),
                order = scratch(count * i64{sizeof(i64)}, "argsort");
  copy(x, contiguous(keys.as(), x.dtype, x.shape));
  sort_rows(stream(), keys.as(), x.dtype, count / n, n, descending, order.as<i64>());
  copy(contiguous(order.as(), DType::i64, x.shape), out);
}

}  // namespace plumb::cuda
