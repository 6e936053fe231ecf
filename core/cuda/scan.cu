// Walks along one axis: arg_max, cumsum, and the fold of rows into a parameter's gradient.
#include "core/cuda/backend.h"
#include "core/cuda/fold.h"

namespace plumb::cuda {
namespace {

// The lines of x along an axis: strides of their starts in x and out, and the step from one element to the next.
struct Lines {
  Layout<2> starts;
  i64 n = 0, step_x = 0, step_out = 0;
};
Lines lines_of(const Raw& x, int axis, const Raw& out) {
  Lines lines;
  Shape shape = x.shape;
  shape[axis] = 1;
  lines.starts = layout_of<2>(shape, {&x.strides, &out.strides});
  lines.n = x.shape[axis];
  lines.step_x = x.strides[axis];
  lines.step_out = out.strides[axis];
  return lines;
}

// The better of two candidates: the larger value (NaN above all), of equals the lower index.
template <class A>
struct Best {
  A value;
  i64 at;
};
struct Better {
  template <class A>
  __device__ Best<A> operator()(Best<A> a, Best<A> b) const {
    if (b.at < 0) return a;
    if (a.at < 0) return b;
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan != b_nan) return a_nan ? a : b;
    if (a_nan || a.value == b.value) return a.at < b.at ? a : b;
    return a.value > b.value ? a : b;
  }
};

template <class T>
__global__ void arg_max_kernel(Lines lines, const T* x, i64* out) {  // a block for each line
  using B = Best<Compute<T>>;
  __shared__ B shared[most_row_threads];
  for (i64 line = blockIdx.x; line < lines.starts.count; line += gridDim.x) {
    const auto o = offsets_of(lines.starts, line);
    B best{{}, -1};
    for (i64 i = threadIdx.x; i < lines.n; i += blockDim.x) {
      best = Better{}(best, B{widen(x[o.at[0] + i * lines.step_x]), i});
    }
    best = block_tree(best, shared, Better{});
    if (threadIdx.x == 0) out[o.at[1]] = best.at;
  }
}

template <class T>
__global__ void cumsum_kernel(Lines lines, bool reverse, const T* x, T* out) {  // a thread for each line
  for (i64 line = first_item(); line < lines.starts.count; line += all_threads()) {
    const auto o = offsets_of(lines.starts, line);
    Sum<T> sum{};
    for (i64 k = 0; k < lines.n; ++k) {
      const i64 i = reverse ? lines.n - 1 - k : k;
      sum += static_cast<Sum<T>>(widen(x[o.at[0] + i * lines.step_x]));
      out[o.at[1] + i * lines.step_out] = narrow<T>(sum);
    }
  }
}

// The rows of one example, added in order: item (run, example, column).
template <class T>
__global__ void sum_rows_kernel(i64 count, i64 rows, i64 n, const T* x, Compute<T>* sums) {
  for (i64 i = first_item(); i < count; i += all_threads()) {
    const T* column = x + i / n * rows * n + i % n;
    Compute<T> sum{};
    for (i64 r = 0; r < rows; ++r) sum += widen(column[r * n]);
    sums[i] = sum;
  }
}

template <class A, class O>
__global__ void fold_examples_kernel(i64 count, i64 examples, i64 n, const A* sums, O* out) {
  for (i64 i = first_item(); i < count; i += all_threads()) {
    const A* example = sums + i / n * examples * n + i % n;
    A sum = widen(out[i]);
    for (i64 e = 0; e < examples; ++e) sum += example[e * n];
    out[i] = narrow<O>(sum);
  }
}

}  // namespace

template <class A>
void fold_examples(cudaStream_t stream, i64 runs, i64 examples, i64 n, const A* sums, void* out, DType dtype) {
  visit_floating(dtype, [&](auto zero) {
    using O = decltype(zero);
    launch_over(stream, runs * n, fold_examples_kernel<A, O>, runs * n, examples, n, sums, static_cast<O*>(out));
  });
}
template void fold_examples<float>(cudaStream_t, i64, i64, i64, const float*, void*, DType);
template void fold_examples<double>(cudaStream_t, i64, i64, i64, const double*, void*, DType);

void CudaBackend::arg_max(const Raw& x, int axis, const Raw& out) {
  const Lines lines = lines_of(x, axis, out);
  const i64 blocks = lines.starts.count < most_blocks ? lines.starts.count : most_blocks;
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream(), blocks, row_threads(lines.n), arg_max_kernel<T>, lines, static_cast<const T*>(x.data),
           static_cast<i64*>(out.data));
  });
}

void CudaBackend::cumsum(const Raw& x, int axis, bool reverse, const Raw& out) {
  const Lines lines = lines_of(x, axis, out);
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_over(stream(), lines.starts.count, cumsum_kernel<T>, lines, reverse, static_cast<const T*>(x.data),
                static_cast<T*>(out.data));
  });
}

// Sums of examples side by side, then their fold: the order is that of one thread walking all rows.
void CudaBackend::fold_rows(const Raw& x, const Raw& out) {
  const i64 runs = x.shape[0], examples = x.shape[1], rows = x.shape[2], n = x.shape[3], count = runs * examples * n;
  visit_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    using A = Compute<T>;
    const Scratch sums = scratch(count * i64{sizeof(A)}, "fold_rows");
    launch_over(stream(), count, sum_rows_kernel<T>, count, rows, n, static_cast<const T*>(x.data), sums.as<A>());
    fold_examples(stream(), runs, examples, n, sums.as<A>(), out.data, out.dtype);
  });
}

}  // namespace plumb::cuda
