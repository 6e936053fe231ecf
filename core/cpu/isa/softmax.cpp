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

template <class T>
void softmax_row(const T* x, T* y, int64_t n, bool log_wanted) {
  constexpr int w = Lanes<T>::count;
  const T top = top_of(x, n);
  auto total = splat((T)0);
  int64_t i = 0;
  for (; i + w <= n; i += w) {
    const auto e = exp(load(x + i) - splat(top));
    if (!log_wanted) store(y + i, e);
    total = total + e;
  }
  if (i < n) {
    const auto e = exp(load_part(x + i, n - i, (T)-infinity) - splat(top));
    if (!log_wanted) store_part(y + i, e, n - i);
    total = total + first(e, n - i);
  }
  const T scale = log_wanted ? log(sum(total)) : 1 / sum(total);
  for (i = 0; i + w <= n; i += w)
    store(y + i, log_wanted ? load(x + i) - splat(top) - splat(scale) : load(y + i) * splat(scale));
  for (; i < n; ++i) y[i] = log_wanted ? x[i] - top - scale : y[i] * scale;
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
