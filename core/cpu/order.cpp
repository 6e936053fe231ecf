// Reductions and scans in which the order along an axis matters: arg_max, cumsum, argsort, and sums of rows by example.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

#include "core/cpu/backend.h"
#include "core/cpu/reduce.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

// One line along an axis of x and the matching line of out, for every other coordinate.
struct Lines {
  std::int64_t count = 1, length = 1, x_step = 0, out_step = 0;
  Dims shape, x_strides, out_strides;  // of the other axes

  Lines(const Raw& x, int axis, const Raw& out)
      : length(x.shape[axis]), x_step(x.strides[axis]), out_step(out.strides[axis]) {
    for (int d = 0; d < x.shape.size(); ++d) {
      if (d == axis) continue;
      shape.push_back(x.shape[d]);
      x_strides.push_back(x.strides[d]);
      out_strides.push_back(out.strides[d]);
      count *= x.shape[d];
    }
  }
  // Calls line(x offset, out offset) for all, in parallel.
  template <class Line>
  void each(std::int64_t cost, Line&& line) const {
    parallel_for(count, grain_for(length * cost), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        std::int64_t rest = i, from = 0, to = 0;
        for (int d = shape.size() - 1; d >= 0; --d) {
          from += rest % shape[d] * x_strides[d];
          to += rest % shape[d] * out_strides[d];
          rest /= shape[d];
        }
        line(from, to);
      }
    });
  }
};

template <class T>
bool is_nan(T x) {
  if constexpr (std::is_integral_v<T>) return false;
  else
    return std::isnan(
        static_cast<double>(static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(x)));
}
template <class T>
auto value(T x) {  // what comparisons see
  if constexpr (std::is_same_v<T, Bf16>) return static_cast<float>(x);
  else return x;
}

// NaN counts as the greatest.
template <class T>
std::int64_t arg_max_line(const T* x, std::int64_t n, std::int64_t step) {
  std::int64_t best = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (is_nan(x[i * step])) return i;
    if (value(x[i * step]) > value(x[best * step])) best = i;
  }
  return best;
}

// A contiguous line of f32 or f64: the maximum by vectors, then its place.
template <class T>
std::int64_t arg_max_row(const ReduceLoops<T>& loops, const T* x, std::int64_t n) {
  const T most = loops.block(kernels::Reduce::max, x, n);
  if (is_nan(most)) return arg_max_line(x, n, 1);
  return std::find(x, x + n, most) - x;
}

// Float sums run in f64 and are rounded where they are stored.
template <class T>
using Running = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

template <class T>
void cumsum_line(const T* x, std::int64_t x_step, T* out, std::int64_t out_step, std::int64_t n, bool reverse) {
  Running<T> sum = 0;
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t i = reverse ? n - 1 - k : k;
    sum += static_cast<Running<T>>(value(x[i * x_step]));
    if constexpr (std::is_same_v<T, Bf16>) out[i * out_step] = Bf16(static_cast<float>(sum));
    else out[i * out_step] = static_cast<T>(sum);
  }
}

template <class T>
void argsort_line(const T* x, std::int64_t x_step, std::int64_t* out, std::int64_t n, bool descending) {
  std::iota(out, out + n, std::int64_t{0});
  const auto before = [&](std::int64_t a, std::int64_t b) {
    const T u = x[(descending ? b : a) * x_step], v = x[(descending ? a : b) * x_step];
    return is_nan(u) ? false : is_nan(v) || value(u) < value(v);
  };
  std::stable_sort(out, out + n, before);
}

}  // namespace

void CpuBackend::arg_max(const Raw& x, int axis, const Raw& out) {
  const Lines lines(x, axis, out);
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* from = static_cast<const T*>(x.data);
    auto* to = static_cast<std::int64_t*>(out.data);
    lines.each(1, [&](std::int64_t a, std::int64_t b) {
      if constexpr (std::is_same_v<T, float>)
        to[b] = lines.x_step == 1 ? arg_max_row(reduce_table().f32, from + a, lines.length)
                                  : arg_max_line(from + a, lines.length, lines.x_step);
      else to[b] = arg_max_line(from + a, lines.length, lines.x_step);
    });
  });
}

void CpuBackend::cumsum(const Raw& x, int axis, bool reverse, const Raw& out) {
  const Lines lines(x, axis, out);
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    lines.each(2, [&](std::int64_t a, std::int64_t b) {
      cumsum_line(static_cast<const T*>(x.data) + a, lines.x_step, static_cast<T*>(out.data) + b, lines.out_step,
                  lines.length, reverse);
    });
  });
}

void CpuBackend::argsort(const Raw& x, bool descending, const Raw& out) {
  const int axis = x.shape.size() - 1;
  const Lines lines(x, axis, out);
  PLUMB_ASSERT(lines.out_step == 1 || lines.length <= 1);
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    lines.each(32, [&](std::int64_t a, std::int64_t b) {
      argsort_line(static_cast<const T*>(x.data) + a, lines.x_step, static_cast<std::int64_t*>(out.data) + b,
                   lines.length, descending);
    });
  });
}

namespace {

// The columns [begin, end) of one run.
template <class T, class X>
void fold_columns(const ReduceLoops<T>& loops, const X* x, const Shape& shape, std::int64_t begin, std::int64_t end,
                  T* out) {
  const std::int64_t examples = shape[1], rows = shape[2], n = shape[3];
  for (std::int64_t e = 0; e < examples; ++e) {
    const X* from = x + e * rows * n;
    if constexpr (std::is_same_v<T, X>) {
      loops.add_rows(from + begin, n, rows, end - begin, out + begin);
    } else {
      for (std::int64_t c = begin; c < end; ++c) {
        T sum = 0;
        for (std::int64_t r = 0; r < rows; ++r) sum += static_cast<T>(from[r * n + c]);
        out[c] += sum;
      }
    }
  }
}

}  // namespace

// Work is shared by columns, 64 at a time: the order of additions is a column's own.
void CpuBackend::fold_rows(const Raw& x, const Raw& out) {
  constexpr std::int64_t width = 64;
  const Shape& s = x.shape;
  const std::int64_t tiles = (s[3] + width - 1) / width, size = s[1] * s[2] * s[3];
  const auto fold = [&](const auto& loops, auto* to, const auto* from) {
    parallel_for(s[0] * tiles, grain_for(s[1] * s[2] * width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t run = i / tiles, first = i % tiles * width;
        fold_columns(loops, from + run * size, s, first, std::min(first + width, s[3]), to + run * s[3]);
      }
    });
  };
  if (x.dtype == DType::f64) {
    fold(reduce_table().f64, static_cast<double*>(out.data), static_cast<const double*>(x.data));
  } else if (x.dtype == DType::f32) {
    fold(reduce_table().f32, static_cast<float*>(out.data), static_cast<const float*>(x.data));
  } else {
    PLUMB_ASSERT(x.dtype == DType::bf16 && out.dtype == DType::f32);
    fold(reduce_table().f32, static_cast<float*>(out.data), static_cast<const Bf16*>(x.data));
  }
}

}  // namespace plumb::cpu
