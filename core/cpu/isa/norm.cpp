// LayerNorm and RMSNorm of rows, and their gradients. The variance takes two passes over the row.
#include "core/cpu/isa/lanes.h"
#include "core/cpu/norm_table.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace wide {
namespace {

template <class T>
T square_root(T x) {
  if constexpr (sizeof(T) == 4) return __builtin_sqrtf(x);
  else return __builtin_sqrt(x);
}

// Sum of f(i, lanes valid) over the blocks of a row; whole blocks alternate between two sums.
template <class T, class F>
PLUMB_INLINE T sum_blocks(int64_t n, const F& f) {
  constexpr int w = Lanes<T>::count;
  Lanes<T> even = splat((T)0), odd = even;
  int64_t i = 0;
  for (; i + 2 * w <= n; i += 2 * w) {
    even = even + f(i, w);
    odd = odd + f(i + w, w);
  }
  if (i + w <= n) {
    even = even + f(i, w);
    i += w;
  }
  if (i < n) odd = odd + first(f(i, n - i), n - i);
  return sum(even + odd);
}

template <class T>
PLUMB_INLINE Lanes<T> read(const T* p, int64_t valid) {
  return valid == Lanes<T>::count ? load(p) : load_part(p, valid);
}
template <class T>
PLUMB_INLINE void write(T* p, const Lanes<T>& x, int64_t valid) {
  valid == Lanes<T>::count ? store(p, x) : store_part(p, x, valid);
}
// Calls f(i, lanes valid) on the blocks of a row.
template <class T, class F>
PLUMB_INLINE void each_block(int64_t n, const F& f) {
  constexpr int w = Lanes<T>::count;
  int64_t i = 0;
  for (; i + w <= n; i += w) f(i, w);
  if (i < n) f(i, n - i);
}

template <class T>
PLUMB_INLINE void norm_row(const NormRows<T>& s, const T* x, T* y, T& mean_out, T& rstd_out) {
  const T n = (T)s.n;
  const T mean = s.center ? sum_blocks<T>(s.n, [&](int64_t i, int64_t valid) { return read(x + i, valid); }) / n : 0;
  const auto m = splat(mean);
  const T squares = sum_blocks<T>(s.n, [&](int64_t i, int64_t valid) {
    const auto c = read(x + i, valid) - m;
    return c * c;
  });
  // Squares that overflow would give a row of zeros, which look like numbers.
  const T rstd = squares < (T)__builtin_inf() ? 1 / square_root(squares / n + s.eps) : (T)__builtin_nan("");
  const auto r = splat(rstd), offset = splat(s.gain_offset);
  each_block<T>(s.n, [&](int64_t i, int64_t valid) {
    auto v = (read(x + i, valid) - m) * r;
    if (s.gain) v = v * (read(s.gain + i, valid) + offset);
    if (s.bias) v = v + read(s.bias + i, valid);
    write(y + i, v, valid);
  });
  mean_out = mean;
  rstd_out = rstd;
}

template <class T>
void norm_rows(const NormRows<T>& s) {
  for (int64_t row = 0; row < s.rows; ++row) {
    T mean, rstd;
    norm_row(s, s.x + row * s.n, s.y + row * s.n, mean, rstd);
    if (s.mean) s.mean[row] = mean;
    if (s.rstd) s.rstd[row] = rstd;
  }
}

// With h = (x - mean) rstd and e = dy (gain + offset): dx = rstd (e - mean(e) - h mean(e h)).
template <class T>
PLUMB_INLINE void norm_grad_row(const NormGradRows<T>& s, int64_t row) {
  const NormRows<T>& f = s.forward;
  const T *x = f.x + row * f.n, *dy = s.dy + row * f.n;
  const auto m = splat(f.center ? f.mean[row] : 0), r = splat(f.rstd[row]), offset = splat(f.gain_offset);
  const auto hat = [&](int64_t i, int64_t valid) { return (read(x + i, valid) - m) * r; };
  const auto scaled = [&](int64_t i, int64_t valid) {
    const auto g = read(dy + i, valid);
    return f.gain ? g * (read(f.gain + i, valid) + offset) : g;
  };
  if (s.dx) {
    const T along = sum_blocks<T>(f.n, [&](int64_t i, int64_t v) { return scaled(i, v) * hat(i, v); }) / (T)f.n;
    const T mean = f.center ? sum_blocks<T>(f.n, scaled) / (T)f.n : 0;
    T* dx = s.dx + row * f.n;
    each_block<T>(f.n, [&](int64_t i, int64_t valid) {
      write(dx + i, (scaled(i, valid) - splat(mean) - hat(i, valid) * splat(along)) * r, valid);
    });
  }
  if (s.dgain)
    each_block<T>(f.n, [&](int64_t i, int64_t valid) {
      write(s.dgain + i, read(s.dgain + i, valid) + read(dy + i, valid) * hat(i, valid), valid);
    });
  if (s.dbias)
    each_block<T>(f.n, [&](int64_t i, int64_t valid) {
      write(s.dbias + i, read(s.dbias + i, valid) + read(dy + i, valid), valid);
    });
}

template <class T>
void norm_grad_rows(const NormGradRows<T>& s) {
  for (int64_t row = 0; row < s.forward.rows; ++row) norm_grad_row(s, row);
}

}  // namespace
}  // namespace wide

const NormTable& norm_table() {
  static const NormTable table{wide::norm_rows<float>, wide::norm_rows<double>, wide::norm_grad_rows<float>,
                               wide::norm_grad_rows<double>};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
