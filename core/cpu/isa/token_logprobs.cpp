// Log Z of rows of logits, block by block of the vocabulary, and the gradient of the logits.
#include "core/cpu/isa/lanes.h"
#include "core/cpu/token_logprobs_table.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace wide {
namespace {

constexpr double infinity = __builtin_inf();

// The logits from the products at z (scaled, shifted, capped), and the slope of the cap.
template <class T>
struct Logit {
  Lanes<T> value, slope;
};
template <class T>
PLUMB_INLINE Logit<T> logit(const LogitRows<T>& a, const T* z, int64_t word, int64_t valid) {
  const bool whole = valid == Lanes<T>::count;
  auto x = load(z) * splat(a.scale);
  if (a.bias) x = x + (whole ? load(a.bias + word) : load_part(a.bias + word, valid));
  auto slope = splat((T)1);
  if (a.softcap > 0) {
    const auto t = tanh(x / splat(a.softcap));
    x = t * splat(a.softcap);
    slope = slope - t * t;
  }
  return {x, slope};
}

template <class T>
PLUMB_INLINE T exp_one(T x) {
  return PLUMB_ISA_NS::exp(PLUMB_ISA_NS::splat(x))[0];
}

template <class T>
PLUMB_INLINE void add_row(const LogitRows<T>& a, T* z, int64_t row) {
  constexpr int w = Lanes<T>::count;
  auto tops = splat((T)-infinity), totals = splat((T)0);
  for (int64_t i = 0; i < a.n; i += w) {
    const int64_t valid = a.n - i < w ? a.n - i : w;
    auto x = logit(a, z + i, a.first + i, valid).value;
    if (valid < w) x = first(x, valid, (T)-infinity);
    store(z + i, x);
    tops = max(x, tops);
  }
  const T top = highest(tops);
  for (int64_t i = 0; i < a.n; i += w) {
    const auto e = exp(load(z + i) - splat(top));
    totals = totals + (i + w <= a.n ? e : first(e, a.n - i));
  }
  const int64_t at = a.labels[row] - a.first;
  if (at >= 0 && at < a.n) a.label_logit[row] = z[at];
  const T joint = a.top[row] > top ? a.top[row] : top;
  a.total[row] = a.total[row] * exp_one(a.top[row] - joint) + sum(totals) * exp_one(top - joint);
  a.top[row] = joint;
}

template <class T>
void add_rows(const LogitRows<T>& a) {
  for (int64_t row = 0; row < a.rows; ++row)
    if (a.labels[row] >= 0) add_row(a, a.z + row * a.stride, row);
}

template <class T>
void finish_rows(const LogitRows<T>& a, T* logp, T* log_z) {
  for (int64_t row = 0; row < a.rows; ++row) {
    const bool counts = a.labels[row] >= 0;
    const T log_total = counts ? log(a.total[row]) : 0;
    logp[row] = counts ? a.label_logit[row] - a.top[row] - log_total : 0;
    log_z[row] = counts ? a.top[row] + log_total : 0;
  }
}

// With p = e^(z - log Z): g_logp (onehot - p) + g_log_z p, times the slope of the cap.
template <class T>
PLUMB_INLINE void grad_row(const LogitGradRows<T>& g, T* z, int64_t row) {
  constexpr int w = Lanes<T>::count;
  const LogitRows<T>& a = g.forward;
  const T own = g.g_logp ? g.g_logp[row] : 0, all = (g.g_log_z ? g.g_log_z[row] : 0) - own;
  const int64_t label = a.labels[row];
  T one_hot[w] = {};
  one_hot[label % w] = own;
  for (int64_t i = 0; i < a.n; i += w) {
    const auto x = logit(a, z + i, i, a.n - i < w ? a.n - i : w);
    auto d = exp(x.value - splat(g.log_z[row])) * splat(all);
    if (label >= i && label < i + w) d = d + load(one_hot);
    store(z + i, d * x.slope * splat(g.factor));
  }
}

template <class T>
void grad_rows(const LogitGradRows<T>& g) {
  for (int64_t row = 0; row < g.forward.rows; ++row) {
    T* z = g.forward.z + row * g.forward.stride;
    if (g.forward.labels[row] >= 0) grad_row(g, z, row);
    else
      for (int64_t i = 0; i < g.forward.n; ++i) z[i] = 0;
  }
}

}  // namespace
}  // namespace wide

const TokenTable& token_table() {
  static const TokenTable table{wide::add_rows<float>,     wide::add_rows<double>, wide::finish_rows<float>,
                                wide::finish_rows<double>, wide::grad_rows<float>, wide::grad_rows<double>};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
