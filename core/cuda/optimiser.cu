// One Adam step over slices of the parameter arena.
#include <cmath>

#include "core/cuda/backend.h"

namespace plumb::cuda {
namespace {

template <class T>
struct Step {
  i64 count;
  T lr, decay, gradient_scale, beta1, rest1, beta2, rest2, eps, bias1, bias2;  // rest = 1 - beta, rounded once
  bool atan2;
};

template <class T>
__global__ void adam_kernel(Step<T> s, T* param, const T* grad, T* moment, T* square) {
  for (i64 i = first_item(); i < s.count; i += all_threads()) {
    const T g = grad[i] * s.gradient_scale;
    const T m = s.beta1 * moment[i] + s.rest1 * g;
    const T u = s.beta2 * square[i] + s.rest2 * (g * g);
    const T m_hat = m / s.bias1, root = std::sqrt(u / s.bias2);
    const T ratio = m_hat == 0 ? T{} : m_hat / (root + s.eps);  // eps = 0: no gradient yet is no step, not 0 / 0
    const T delta = s.atan2 ? T(1.27) * std::atan2(m_hat, root) : ratio;
    moment[i] = m;
    square[i] = u;
    param[i] = param[i] - s.lr * delta - s.decay * param[i];
  }
}

}  // namespace

void CudaBackend::adam(const kernels::Adam& a, const kernels::AdamSlice* slices, int count) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    for (const auto* s = slices; s != slices + count; ++s) {
      const Step<T> step{.count = s->count,
                         .lr = static_cast<T>(s->lr),
                         .decay = static_cast<T>(s->decay),
                         .gradient_scale = static_cast<T>(s->gradient_scale),
                         .beta1 = static_cast<T>(a.beta1),
                         .rest1 = static_cast<T>(1 - a.beta1),
                         .beta2 = static_cast<T>(a.beta2),
                         .rest2 = static_cast<T>(1 - a.beta2),
                         .eps = static_cast<T>(a.eps),
                         .bias1 = static_cast<T>(a.bias1),
                         .bias2 = static_cast<T>(a.bias2),
                         .atan2 = a.atan2};
      launch_over(stream(), s->count, adam_kernel<T>, step, static_cast<T*>(a.param) + s->offset,
                  static_cast<const T*>(a.grad) + s->offset, static_cast<T*>(a.m) + s->offset,
                  static_cast<T*>(a.u) + s->offset);
    }
  };
  if (a.dtype == DType::f64) run(double{});
  else run(float{});
}

}  // namespace plumb::cuda
