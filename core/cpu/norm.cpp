// LayerNorm and RMSNorm: rows in parallel; the gradients of gain and bias example by example, then a left fold.
#include "core/cpu/backend.h"
#include "core/cpu/isa.h"
#include "core/cpu/norm_table.h"
#include "core/cpu/rows.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

const NormTable& table() {
  static const NormTable& t = choose<NormTable>(baseline::norm_table, avx2::norm_table, avx512::norm_table);
  return t;
}

template <class T>
const T* at(const void* p, std::int64_t offset) {
  return p ? static_cast<const T*>(p) + offset : nullptr;
}
template <class T>
T* at(void* p, std::int64_t offset) {
  return p ? static_cast<T*>(p) + offset : nullptr;
}

// `count` rows from `row` on, all of one run.
template <class T>
NormRows<T> rows_of(const kernels::Norm& n, std::int64_t run, std::int64_t row, std::int64_t count) {
  return {.rows = count,
          .n = n.n,
          .center = n.center,
          .eps = static_cast<T>(n.eps),
          .gain_offset = static_cast<T>(n.gain_offset),
          .x = at<T>(n.x, row * n.n),
          .gain = at<T>(n.gain, run * n.n),
          .bias = at<T>(n.bias, run * n.n),
          .y = at<T>(n.y, row * n.n),
          .mean = at<T>(n.mean, row),
          .rstd = at<T>(n.rstd, row)};
}

template <class T>
void forward(const kernels::Norm& n) {
  const std::int64_t rows_per_run = n.rows.examples * n.rows.rows;
  parallel_for(n.rows.runs * rows_per_run, grain_for(n.n), [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t run = begin / rows_per_run, stop = std::min(end, (run + 1) * rows_per_run);
      table().rows(T{})(rows_of<T>(n, run, begin, stop - begin));
      begin = stop;
    }
  });
}

template <class T>
void fold(const T* partials, std::int64_t examples, std::int64_t n, T* out) {
  for (std::int64_t e = 0; e < examples; ++e)
    for (std::int64_t i = 0; i < n; ++i) out[i] += partials[e * n + i];
}

// Examples first .. first + count of one run: each its own rows of dx and its own partial sums, folded afterwards.
template <class T>
void backward(const kernels::NormGrad& g, std::int64_t run, std::int64_t first, std::int64_t count, T* partials) {
  const kernels::Norm& f = g.forward;
  T* gains = g.dgain ? partials : nullptr;
  T* biases = g.dbias ? partials + count * f.n : nullptr;
  parallel_for(count, grain_for(f.rows.rows * f.n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t e = begin; e < end; ++e) {
      const std::int64_t row = (run * f.rows.examples + first + e) * f.rows.rows;
      if (gains) std::fill_n(gains + e * f.n, f.n, T{0});
      if (biases) std::fill_n(biases + e * f.n, f.n, T{0});
      table().grad(T{})({.forward = rows_of<T>(f, run, row, f.rows.rows),
                         .dy = at<T>(g.dy, row * f.n),
                         .dx = at<T>(g.dx, row * f.n),
                         .dgain = gains ? gains + e * f.n : nullptr,
                         .dbias = biases ? biases + e * f.n : nullptr});
    }
  });
  if (gains) fold(gains, count, f.n, at<T>(g.dgain, run * f.n));
  if (biases) fold(biases, count, f.n, at<T>(g.dbias, run * f.n));
}

template <class T>
void backward(const kernels::NormGrad& g) {
  static thread_local Scratch scratch;
  const kernels::Norm& f = g.forward;
  constexpr std::int64_t most = 1 << 17;  // numbers in the partial sums; their cut changes no bits
  const std::int64_t group = std::clamp<std::int64_t>(most / std::max<std::int64_t>(f.n, 1), 64, 1 << 15);
  T* partials = scratch.get<T>(2 * std::min(group, f.rows.examples) * f.n);
  for (std::int64_t run = 0; run < f.rows.runs; ++run)
    for (std::int64_t first = 0; first < f.rows.examples; first += group)
      backward(g, run, first, std::min(group, f.rows.examples - first), partials);
}

}  // namespace

void CpuBackend::norm(const kernels::Norm& n) {
  if (n.n > 0) visit_float("norm", n.dtype, [&](auto zero) { forward<decltype(zero)>(n); });
}

void CpuBackend::norm_grad(const kernels::NormGrad& n) {
  if (n.forward.n > 0) visit_float("norm_grad", n.forward.dtype, [&](auto zero) { backward<decltype(zero)>(n); });
}

}  // namespace plumb::cpu
