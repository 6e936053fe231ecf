// Adam on contiguous memory: every sum and product is rounded on its own, so that all instruction sets agree.
#include "core/cpu/isa/simd.h"
#include "core/cpu/optimiser_table.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace {

template <class T, bool atan2>
PLUMB_INLINE void step(const AdamConstants<T>& c, Vec<T>& param, Vec<T> grad, Vec<T>& m, Vec<T>& u) {
  const Vec<T> g = c.gradient_scale * grad;
  m = c.beta1 * m + c.rest1 * g;
  u = c.beta2 * u + c.rest2 * (g * g);
  const Vec<T> mean = m / c.bias1, root = sqrt(u / c.bias2);
  const Vec<T> ratio = mean == 0 ? Vec<T>{} : mean / (root + c.eps);  // eps = 0: no gradient yet is no step, not 0 / 0
  const Vec<T> delta = atan2 ? static_cast<T>(1.27) * sleef_atan2(mean, root) : ratio;
  param = param - c.lr * delta - c.decay * param;
}

template <class T, bool atan2>
void run(const AdamConstants<T>& c, T* param, const T* grad, T* m, T* u, int64_t n) {
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) {
    Vec<T> p = load<T>(param + i), a = load<T>(m + i), b = load<T>(u + i);
    step<T, atan2>(c, p, load<T>(grad + i), a, b);
    store<T>(param + i, p);
    store<T>(m + i, a);
    store<T>(u + i, b);
  }
  if (i == n) return;
  const int64_t rest = n - i;
  Vec<T> p = load_part<T>(param + i, rest), a = load_part<T>(m + i, rest), b = load_part<T>(u + i, rest);
  step<T, atan2>(c, p, load_part<T>(grad + i, rest), a, b);
  store_part<T>(param + i, p, rest);
  store_part<T>(m + i, a, rest);
  store_part<T>(u + i, b, rest);
}

template <class T>
void adam(const AdamConstants<T>& c, T* param, const T* grad, T* m, T* u, int64_t n) {
  if (c.atan2) run<T, true>(c, param, grad, m, u, n);
  else run<T, false>(c, param, grad, m, u, n);
}

}  // namespace

const OptimiserTable& optimiser_table() {
  static constexpr OptimiserTable table{adam<float>, adam<double>};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
