// What every kernel uses: loads and stores by dtype, strided layouts, loops over a grid, fixed trees in a block.
#pragma once

#include <type_traits>

#include "core/backend.h"
#include "core/cuda/launch.h"

namespace plumb::cuda {

// The type a dtype is computed in.
template <class T>
struct ComputeOf {
  using type = T;
};
template <>
struct ComputeOf<Bf16> {
  using type = float;
};
template <class T>
using Compute = typename ComputeOf<T>::type;
// The type a dtype is summed in.
template <class T>
using Sum = std::conditional_t<std::is_integral_v<T>, i64, Compute<T>>;

__device__ inline float widen(Bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
template <class T>
__device__ inline T widen(T x) {
  return x;
}

// Conversion as Bf16(float) does it: to nearest, ties to even; NaN stays NaN.
template <class T, class S>
__device__ inline T narrow(S x) {
  if constexpr (std::is_same_v<T, Bf16>) {
    const unsigned u = __float_as_uint(static_cast<float>(x));
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    Bf16 y;
    y.bits = static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40u : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    return y;
  } else {
    return static_cast<T>(x);
  }
}

// The index of this thread in the grid, and the number of threads: for (i = first_item(); i < n; i += all_threads()).
__device__ inline i64 first_item() { return static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline i64 all_threads() { return static_cast<i64>(gridDim.x) * blockDim.x; }

// The strides of N operands over one shape, with neighbouring dimensions merged where every operand allows it; so
// contiguous operands have one dimension.
template <int N>
struct Layout {
  int dims = 0;
  i64 count = 1;
  i64 size[max_dims] = {};
  i64 stride[N][max_dims] = {};
};

template <int N>
Layout<N> layout_of(const Shape& shape, const Strides* const (&strides)[N]) {
  Layout<N> l;
  for (int d = 0; d < shape.size(); ++d) {
    l.count *= shape[d];
    if (shape[d] == 1) continue;
    bool merges = l.dims > 0;
    for (int n = 0; n < N && merges; ++n) merges = l.stride[n][l.dims - 1] == (*strides[n])[d] * shape[d];
    if (!merges) l.size[l.dims++] = 1;
    l.size[l.dims - 1] *= shape[d];
    for (int n = 0; n < N; ++n) l.stride[n][l.dims - 1] = (*strides[n])[d];
  }
  return l;
}

template <int N>
struct Offsets {
  i64 at[N];
};

// Where item i (row-major) lies in each operand. 32-bit divisions are several times faster.
template <int N>
__device__ inline Offsets<N> offsets_of(const Layout<N>& l, i64 i) {
  Offsets<N> o;
  if (l.dims <= 1) {
    for (int n = 0; n < N; ++n) o.at[n] = i * l.stride[n][0];
    return o;
  }
  for (int n = 0; n < N; ++n) o.at[n] = 0;
  const bool is_small = l.count <= 0x7fffffff;
  for (int d = l.dims - 1; d >= 0; --d) {
    const i64 rest =
        is_small ? static_cast<i64>(static_cast<unsigned>(i) / static_cast<unsigned>(l.size[d])) : i / l.size[d];
    const i64 at = i - rest * l.size[d];
    for (int n = 0; n < N; ++n) o.at[n] += at * l.stride[n][d];
    i = rest;
  }
  return o;
}

// f over the values of a block (a power of two of threads), by halving: the order depends on the block's size alone.
// Every thread gets the result. `shared` has one place for each thread and may be used again at once.
template <class T, class F>
__device__ inline T block_tree(T value, T* shared, F f) {
  const unsigned t = threadIdx.x;
  shared[t] = value;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (t < half) shared[t] = f(shared[t], shared[t + half]);
    __syncthreads();
  }
  const T result = shared[0];
  __syncthreads();
  return result;
}
struct Add {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {  // NaN wins
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a != a || a > b ? a : b;
  }
};
struct Smaller {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a != a || a < b ? a : b;
  }
};

// Threads of a block that works on one row of n: a function of n, so that a row's bits do not depend on its neighbours.
inline constexpr int most_row_threads = 256;
constexpr int row_threads(i64 n) { return n <= 128 ? 32 : n <= 1024 ? 128 : most_row_threads; }

// Calls f(T{}) with the C++ type of a floating dtype.
template <class F>
decltype(auto) visit_floating(DType t, F&& f) {
  switch (t) {
    case DType::f64: return f(double{});
    case DType::f32: return f(float{});
    case DType::bf16: return f(Bf16{});
    default: throw Bug(fmt::format("{} where a floating dtype is due", name_of(t)));
  }
}

}  // namespace plumb::cuda
