// Softmax of one row and its gradient. Sums run over lanes by index from the first element, so entries of weight zero at
// the end change nothing.
#include "core/cpu/isa/lanes.h"
#include "core/cpu/softmax_table.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace wide {
namespace {

constexpr double infinity = __builtin_inf();

template <class T>
T top_of(const T* x, int64_t n) {
  constexpr int w = Lanes<T>::count;
  auto top = splat((T)-infinity);
  int64_t i = 0;
  for (; i + w <= n; i += w) top = max(load(x + i), top);
  if (i < n) top = max(load_part(x + i, n - i, (T)-infinity), top);
  return highest(top);
}

// A sum of numbers in [0, 1] that carries what its roundings lose. Each lane starts from one: no term is larger than what it
// is added to, so that (total + x) - total is the part of x that arrived.
template <class T>
struct CarefulSum {
  Lanes<T> total = splat((T)1), lost = splat((T)0);
  void add(const Lanes<T>& x) {
    const auto next = total + x;
    lost = lost + (x - (next - total));
    total = next;
  }
  T value() const { return sum(total - splat((T)1)) + sum(lost); }
};

template <class T>
void softmax_row(const T* x, T* y, int64_t n, bool log_wanted) {
  constexpr int w = Lanes<T>::count;
  const T top = top_of(x, n);
  CarefulSum<T> terms;
  int64_t i = 0;
  for (; i + w <= n; i += w) {
    const auto e = exp(load(x + i) - splat(top));
    if (!log_wanted) store(y + i, e);
    terms.add(e);
  }
  if (i < n) {
    const auto e = exp(load_part(x + i, n - i, (T)-infinity) - splat(top));
    if (!log_wanted) store_part(y + i, e, n - i);
    terms.add(first(e, n - i));
  }
  const T total = terms.value(), scale = log_wanted ? log(total) : 1 / total;
  const auto finished = [&](const Lanes<T>& v) {
    if (log_wanted) return v - splat(top) - splat(scale);
    const auto q = v * splat(scale);
    return fma(fma(splat(-total), q, v), splat(scale), q);  // a division, within half a unit
  };
  const T* from = log_wanted ? x : y;
  for (i = 0; i + w <= n; i += w) store(y + i, finished(load(from + i)));
  if (i < n) store_part(y + i, finished(load_part(from + i, n - i)), n - i);
}

// dx = y (g - sum(g y)), or g - e^y sum(g) for the logarithm.
template <class T>
void softmax_grad_row(const T* y, const T* g, T* dx, int64_t n, bool log_wanted) {
  constexpr int w = Lanes<T>::count;
  auto total = splat((T)0);
  int64_t i = 0;
  for (; i + w <= n; i += w) total = log_wanted ? total + load(g + i) : fma(load(g + i), load(y + i), total);
  if (i < n) {
    const auto last = load_part(g + i, n - i);
    total = log_wanted ? total + last : fma(last, load_part(y + i, n - i), total);
  }
  const auto s = splat(sum(total));
  const auto gradient = [&](const Lanes<T>& a, const Lanes<T>& b) { return log_wanted ? b - exp(a) * s : a * (b - s); };
  for (i = 0; i + w <= n; i += w) store(dx + i, gradient(load(y + i), load(g + i)));
  if (i < n) store_part(dx + i, gradient(load_part(y + i, n - i), load_part(g + i, n - i)), n - i);
}

}  // namespace
}  // namespace wide

const SoftmaxTable& softmax_table() {
  static const SoftmaxTable table{wide::softmax_row<float>, wide::softmax_row<double>, wide::softmax_grad_row<float>,
                                  wide::softmax_grad_row<double>};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
