// Softmax and log-softmax over the last axis, row by row.
#include "core/cpu/backend.h"
#include "core/cpu/isa.h"
#include "core/cpu/rows.h"
#include "core/cpu/softmax_table.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

const SoftmaxTable& table() {
  static const SoftmaxTable& t =
      choose<SoftmaxTable>(baseline::softmax_table, avx2::softmax_table, avx512::softmax_table);
  return t;
}

// A row as contiguous numbers of the type it is computed in: itself, or a copy.
template <class T, class Stored>
const T* read_row(const Raw& x, std::int64_t row, Scratch& scratch) {
  const std::int64_t n = x.shape.back(), stride = x.strides.back();
  const auto* p = static_cast<const Stored*>(x.data) + row_offset(x, row);
  if constexpr (std::is_same_v<T, Stored>) {
    if (stride == 1 || n <= 1) return p;
  }
  T* copy = scratch.get<T>(n);
  convert(p, stride, copy, 1, n);
  return copy;
}

// Calls compute(y) with a place for a row of results, and brings them home.
template <class T, class Stored, class Compute>
void write_row(const Raw& out, std::int64_t row, Scratch& scratch, const Compute& compute) {
  const std::int64_t n = out.shape.back(), stride = out.strides.back();
  auto* p = static_cast<Stored*>(out.data) + row_offset(out, row);
  if constexpr (std::is_same_v<T, Stored>) {
    if (stride == 1 || n <= 1) return compute(p);
  }
  T* y = scratch.get<T>(n);
  compute(y);
  convert(y, 1, p, stride, n);
}

// Calls f with the computing and the stored type of a dtype.
template <class F>
void visit_rows(DType t, const F& f) {
  if (t == DType::f64) return f(double{}, double{});
  if (t == DType::bf16) return f(float{}, Bf16{});
  f(float{}, float{});
}

thread_local Scratch scratch_x, scratch_g, scratch_out;
constexpr std::int64_t work = 4;  // element operations that an exponential stands for

}  // namespace

void CpuBackend::softmax(const Raw& x, bool log, const Raw& out) {
  const std::int64_t n = x.shape.back();
  if (n == 0) return;
  visit_rows(x.dtype, [&](auto zero, auto stored) {
    using T = decltype(zero);
    using Stored = decltype(stored);
    parallel_for(row_count(x.shape), grain_for(n * work), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const T* p = read_row<T, Stored>(x, r, scratch_x);
        write_row<T, Stored>(out, r, scratch_out, [&](T* y) { table().row(zero)(p, y, n, log); });
      }
    });
  });
}

void CpuBackend::softmax_grad(const Raw& y, const Raw& g, bool log, const Raw& dx) {
  const std::int64_t n = y.shape.back();
  if (n == 0) return;
  visit_rows(y.dtype, [&](auto zero, auto stored) {
    using T = decltype(zero);
    using Stored = decltype(stored);
    parallel_for(row_count(y.shape), grain_for(n * work), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const T* p = read_row<T, Stored>(y, r, scratch_x);
        const T* q = read_row<T, Stored>(g, r, scratch_g);
        write_row<T, Stored>(dx, r, scratch_out, [&](T* d) { table().grad(zero)(p, q, d, n, log); });
      }
    });
  });
}

}  // namespace plumb::cpu
