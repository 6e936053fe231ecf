// Attention weights of rows of logits, and the gradient of the logits. Sums run over lanes by index of the key, so keys
// beyond those a row sees change nothing.
#include "core/cpu/attention_table.h"
#include "core/cpu/isa/lanes.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace wide {
namespace {

constexpr double infinity = __builtin_inf();

PLUMB_INLINE int64_t seen_by(int64_t row, int64_t visible, int64_t step, int64_t width) {
  const int64_t n = visible + row * step;
  return n < 0 ? 0 : n < width ? n : width;
}

// Calls f on each block of lanes of row[0, n): f(pointer, lanes valid). Rows are padded, so whole loads are safe.
template <class T, class F>
PLUMB_INLINE void each_block(T* row, int64_t n, const F& f) {
  constexpr int w = Lanes<T>::count;
  int64_t i = 0;
  for (; i + w <= n; i += w) f(row + i, w);
  if (i < n) f(row + i, n - i);
}
template <class T>
PLUMB_INLINE Lanes<T> keep(const Lanes<T>& x, int64_t valid, T fill = 0) {
  return valid == Lanes<T>::count ? x : first(x, valid, fill);
}

// Scales the logits (and caps them); returns their maximum, and the one before the cap.
template <class T, bool capped>
PLUMB_INLINE T scale_row(const AttentionRows<T>& a, T* z, int64_t n, T& raw_top) {
  const auto scale = splat(a.scale), cap = splat(a.softcap), over = splat(1 / a.softcap);
  auto top = splat((T)-infinity), raw = top;
  each_block(
      z, n, [&](T * p, int64_t valid) __attribute__((always_inline)) {
        auto x = load(p) * scale;  // what lies beyond `valid` is not looked at
        raw = max(keep(x, valid, (T)-infinity), raw);
        if (capped) {
          x = cap * tanh(x * over);
          top = max(keep(x, valid, (T)-infinity), top);
        }
        store(p, x);
      });
  raw_top = highest(raw);
  return capped ? highest(top) : raw_top;
}

template <class T>
PLUMB_INLINE void softmax_weights(const AttentionRows<T>& a, T* z, int64_t n, T top, int64_t row) {
  auto total = splat((T)0), product = total;
  const bool entropy = a.entropy != nullptr;
  each_block(
      z, n, [&](T * p, int64_t valid) __attribute__((always_inline)) {
        const auto x = load(p) - splat(top);
        const auto e = keep(exp(x), valid);
        store(p, e);
        total = total + e;
        if (entropy) product = product + keep(e * max(x, splat((T)-1e4)), valid);  // 0 log 0 = 0
      });
  const T s = sum(total);
  a.log_sum_exp[row] = top;
  a.over_sum[row] = s;
  if (entropy) a.entropy[row] = -sum(product) / s;
}

template <class T>
PLUMB_INLINE void relu_weights(const AttentionRows<T>& a, T* z, int64_t n, int64_t row) {
  const auto zero = splat((T)0);
  each_block(
      z, n, [&](T * p, int64_t valid) __attribute__((always_inline)) {
        const auto x = max(load(p), zero);
        store(p, keep(x * x * splat(a.relu_scale), valid));
      });
  a.log_sum_exp[row] = 0;
  a.over_sum[row] = 1;
  if (a.entropy) a.entropy[row] = 0;  // such weights are no distribution
}

// Rows of softmax_weights, from top and sum to log-sum-exp and 1 / sum; the logarithms of several rows at once.
template <class T>
void finish_softmax(const AttentionRows<T>& a) {
  constexpr int w = Lanes<T>::count;
  for (int64_t row = 0; row < a.rows; row += w) {
    const int64_t valid = a.rows - row < w ? a.rows - row : w;
    const auto s = load_part(a.over_sum + row, valid, (T)1), log_s = log(s);
    store_part(a.log_sum_exp + row, load_part(a.log_sum_exp + row, valid) + log_s, valid);
    store_part(a.over_sum + row, splat((T)1) / s, valid);
    if (a.entropy) store_part(a.entropy + row, load_part(a.entropy + row, valid) + log_s, valid);
  }
}

template <class T>
void attention_weights(const AttentionRows<T>& a) {
  for (int64_t row = 0; row < a.rows; ++row) {
    T* z = a.z + row * a.stride;
    const int64_t n = seen_by(row, a.visible, a.step, a.width);
    T raw_top = (T)-infinity;
    const T top = a.softcap > 0 ? scale_row<T, true>(a, z, n, raw_top) : scale_row<T, false>(a, z, n, raw_top);
    if (a.max_logit) a.max_logit[row] = raw_top;
    if (n == 0) {  // sees nothing
      a.log_sum_exp[row] = (T)-infinity;
      a.over_sum[row] = 1;
      if (a.entropy) a.entropy[row] = 0;
    } else if (a.squared_relu) {
      relu_weights(a, z, n, row);
    } else {
      softmax_weights(a, z, n, top, row);
    }
    for (int64_t i = n; i < a.width; ++i) z[i] = 0;
  }
  if (!a.squared_relu) finish_softmax(a);
}

template <class T, bool capped, bool relu>
PLUMB_INLINE void grad_row(const AttentionGradRows<T>& g, T* z, T* dp, int64_t n, int64_t row) {
  const AttentionRows<T>& a = g.forward;
  const auto scale = splat(a.scale), one = splat((T)1), zero = splat((T)0);
  const auto lse = splat(relu ? 0 : a.log_sum_exp[row]), d = splat(relu ? 0 : g.d[row]);
  constexpr int w = Lanes<T>::count;
  for (int64_t i = 0; i < n; i += w) {
    auto x = load(z + i) * scale, slope = scale;
    if (capped) {
      const auto t = tanh(x * splat(1 / a.softcap));
      x = t * splat(a.softcap);
      slope = slope * (one - t * t);
    }
    Lanes<T> p, ds;
    if (relu) {
      const auto positive = max(x, zero);
      p = positive * positive * splat(a.relu_scale);
      ds = load(dp + i) * positive * splat(2 * a.relu_scale) * slope;
    } else {
      p = exp(x - lse);
      ds = p * (load(dp + i) - d) * slope;
    }
    if (i + w > n) {
      p = first(p, n - i);
      ds = first(ds, n - i);
    }
    store(z + i, p);
    store(dp + i, ds);
  }
  for (int64_t i = n; i < a.width; ++i) z[i] = dp[i] = 0;
}

template <class T>
void attention_grad(const AttentionGradRows<T>& g) {
  const AttentionRows<T>& a = g.forward;
  for (int64_t row = 0; row < a.rows; ++row) {
    T *z = a.z + row * a.stride, *dp = g.dp + row * a.stride;
    const int64_t n = seen_by(row, a.visible, a.step, a.width);
    if (a.squared_relu)
      a.softcap > 0 ? grad_row<T, true, true>(g, z, dp, n, row) : grad_row<T, false, true>(g, z, dp, n, row);
    else a.softcap > 0 ? grad_row<T, true, false>(g, z, dp, n, row) : grad_row<T, false, false>(g, z, dp, n, row);
  }
}

template <class T>
T dot(const T* a, const T* b, int64_t n) {
  constexpr int w = Lanes<T>::count;
  auto total = splat((T)0);
  int64_t i = 0;
  for (; i + w <= n; i += w) total = fma(load(a + i), load(b + i), total);
  if (i < n) total = fma(load_part(a + i, n - i), load_part(b + i, n - i), total);
  return sum(total);
}

// row *= by; false when a result is not finite.
template <class T>
bool scale_finite(T* row, int64_t n, T by) {
  constexpr int w = Lanes<T>::count;
  const auto factor = splat(by), zero = splat((T)0);
  auto check = zero;
  int64_t i = 0;
  for (; i + w <= n; i += w) {
    const auto x = load(row + i) * factor;
    check = fma(x, zero, check);
    store(row + i, x);
  }
  if (i < n) {
    const auto x = load_part(row + i, n - i) * factor;
    check = fma(x, zero, check);
    store_part(row + i, x, n - i);
  }
  return sum(check) == 0;
}

}  // namespace
}  // namespace wide

const AttentionTable& attention_table() {
  static const AttentionTable table{wide::attention_weights<float>,
                                    wide::attention_weights<double>,
                                    wide::attention_grad<float>,
                                    wide::attention_grad<double>,
                                    wide::dot<float>,
                                    wide::dot<double>,
                                    wide::scale_finite<float>,
                                    wide::scale_finite<double>};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
