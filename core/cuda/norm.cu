// LayerNorm and RMSNorm: a block for each row; the gradients of gain and bias example by example, then a left fold.
#include <cmath>

#include "core/cuda/backend.h"
#include "core/cuda/fold.h"

namespace plumb::cuda {
namespace {

// The arguments by value, typed; rows_a_run rows share a gain. Gradients of gain and bias are f32 for bf16.
template <class T>
struct NormRows {
  using A = Compute<T>;
  i64 rows, rows_a_run, n;
  bool center;
  A eps, gain_offset;
  const T *x, *gain, *bias;
  T* y;
  A *mean, *rstd;
};

template <class T>
NormRows<T> rows_of(const kernels::Norm& n) {
  using A = Compute<T>;
  const i64 rows_a_run = n.rows.examples * n.rows.rows;
  return {.rows = n.rows.runs * rows_a_run,
          .rows_a_run = rows_a_run,
          .n = n.n,
          .center = n.center,
          .eps = static_cast<A>(n.eps),
          .gain_offset = static_cast<A>(n.gain_offset),
          .x = static_cast<const T*>(n.x),
          .gain = static_cast<const T*>(n.gain),
          .bias = static_cast<const T*>(n.bias),
          .y = static_cast<T*>(n.y),
          .mean = static_cast<A*>(n.mean),
          .rstd = static_cast<A*>(n.rstd)};
}

template <class T>
__global__ void norm_kernel(NormRows<T> s) {
  using A = Compute<T>;
  __shared__ A shared[most_row_threads];
  for (i64 row = blockIdx.x; row < s.rows; row += gridDim.x) {
    const T* x = s.x + row * s.n;
    const i64 parameters = row / s.rows_a_run * s.n;
    A sum = 0, squares = 0;
    if (s.center) {
      for (i64 i = threadIdx.x; i < s.n; i += blockDim.x) sum += widen(x[i]);
      sum = block_tree(sum, shared, Add{});
    }
    const A mean = sum / static_cast<A>(s.n);
    for (i64 i = threadIdx.x; i < s.n; i += blockDim.x) {
      const A c = widen(x[i]) - mean;
      squares += c * c;
    }
    squares = block_tree(squares, shared, Add{});
    // Squares that overflow would give a row of zeros, which look like numbers.
    const bool fits = squares < std::numeric_limits<A>::infinity();
    const A rstd = fits ? 1 / std::sqrt(squares / static_cast<A>(s.n) + s.eps) : std::numeric_limits<A>::quiet_NaN();
    for (i64 i = threadIdx.x; i < s.n; i += blockDim.x) {
      A v = (widen(x[i]) - mean) * rstd;
      if (s.gain) v *= widen(s.gain[parameters + i]) + s.gain_offset;
      if (s.bias) v += widen(s.bias[parameters + i]);
      s.y[row * s.n + i] = narrow<T>(v);
    }
    if (threadIdx.x == 0 && s.mean) s.mean[row] = mean;
    if (threadIdx.x == 0 && s.rstd) s.rstd[row] = rstd;
  }
}

// With h = (x - mean) rstd and e = dy (gain + offset): dx = rstd (e - mean(e) - h mean(e h)).
template <class T>
__global__ void norm_grad_kernel(NormRows<T> s, const T* dy, T* dx) {
  using A = Compute<T>;
  __shared__ A shared[most_row_threads];
  for (i64 row = blockIdx.x; row < s.rows; row += gridDim.x) {
    const i64 at = row * s.n, parameters = row / s.rows_a_run * s.n;
    const A mean = s.center ? s.mean[row] : A{0}, rstd = s.rstd[row], n = static_cast<A>(s.n);
    const auto hat = [&](i64 i) { return (widen(s.x[at + i]) - mean) * rstd; };
    const auto scaled = [&](i64 i) {
      const A g = widen(dy[at + i]);
      return s.gain ? g * (widen(s.gain[parameters + i]) + s.gain_offset) : g;
    };
    A along = 0, level = 0;
    for (i64 i = threadIdx.x; i < s.n; i += blockDim.x) {
      along += scaled(i) * hat(i);
      if (s.center) level += scaled(i);
    }
    along = block_tree(along, shared, Add{}) / n;
    level = block_tree(level, shared, Add{}) / n;
    for (i64 i = threadIdx.x; i < s.n; i += blockDim.x) {
      dx[at + i] = narrow<T>((scaled(i) - level - hat(i) * along) * rstd);
    }
  }
}

// Sums over the rows of one example, in order: item (run, example, column).
template <class T>
__global__ void parameter_grad_kernel(NormRows<T> s, i64 count, i64 rows, const T* dy, Compute<T>* dgain,
                                      Compute<T>* dbias) {
  using A = Compute<T>;
  for (i64 i = first_item(); i < count; i += all_threads()) {
    const i64 first = i / s.n * rows, column = i % s.n;
    A gain = 0, bias = 0;
    for (i64 row = first; row < first + rows; ++row) {
      const A g = widen(dy[row * s.n + column]), mean = s.center ? s.mean[row] : A{0};
      gain += g * ((widen(s.x[row * s.n + column]) - mean) * s.rstd[row]);
      bias += g;
    }
    if (dgain) dgain[i] = gain;
    if (dbias) dbias[i] = bias;
  }
}

}  // namespace

void CudaBackend::norm(const kernels::Norm& n) {
  if (n.n == 0) return;
  visit_floating(n.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto rows = rows_of<T>(n);
    launch(stream(), rows.rows < most_blocks ? rows.rows : most_blocks, row_threads(n.n), norm_kernel<T>, rows);
  });
}

void CudaBackend::norm_grad(const kernels::NormGrad& g) {
  const kernels::Norm& f = g.forward;
  if (f.n == 0) return;
  visit_floating(f.dtype, [&](auto zero) {
    using T = decltype(zero);
    using A = Compute<T>;
    const auto rows = rows_of<T>(f);
    const auto* dy = static_cast<const T*>(g.dy);
    const i64 count = f.rows.runs * f.rows.examples * f.n;
    if (g.dgain || g.dbias) {
      const Scratch gain = scratch(g.dgain ? count * i64{sizeof(A)} : 0, "norm_grad");
      const Scratch bias = scratch(g.dbias ? count * i64{sizeof(A)} : 0, "norm_grad");
      launch_over(stream(), count, parameter_grad_kernel<T>, rows, count, f.rows.rows, dy,
                  g.dgain ? gain.as<A>() : nullptr, g.dbias ? bias.as<A>() : nullptr);
      if (g.dgain) fold_examples(stream(), f.rows.runs, f.rows.examples, f.n, gain.as<A>(), g.dgain, dtype_of<A>);
      if (g.dbias) fold_examples(stream(), f.rows.runs, f.rows.examples, f.n, bias.as<A>(), g.dbias, dtype_of<A>);
    }
    if (g.dx) {
      launch(stream(), rows.rows < most_blocks ? rows.rows : most_blocks, row_threads(f.n), norm_grad_kernel<T>, rows,
             dy, static_cast<T*>(g.dx));
    }
  });
}

}  // namespace plumb::cuda
