// The names of elementwise operators, reductions and distributions. No other header is included: kernels compiled for
// an instruction set or for a device share this list with core/backend.h.
#pragma once

#include <stdint.h>

namespace plumb::kernels {

// clang-format off
// is_finite and logical_not give u8; log1m_exp is log(1 - e^x), x < 0.
enum class Unary : uint8_t {
  neg, abs, sign, exp, expm1, log, log1p, sqrt, rsqrt, reciprocal, square, sin, cos, tanh, sigmoid, log_sigmoid,
  softplus, relu, silu, gelu, gelu_tanh, erf, floor, round, is_finite, logical_not, log1m_exp
};
// Comparisons give u8; logical_and and logical_or take and give u8. *_grad: (x or y as named, g) -> dx, first order,
// fused: gelu, gelu_tanh and silu take the input x, tanh and sigmoid the output y.
enum class Binary : uint8_t {
  add, sub, mul, div, pow, maximum, minimum, log_add_exp, atan2, equal, less, less_equal, logical_and, logical_or,
  gelu_grad, gelu_tanh_grad, silu_grad, tanh_grad, sigmoid_grad
};
enum class Reduce : uint8_t { sum, max, min };
enum class Distribution : uint8_t { uniform, normal, truncated_normal, gumbel, bits };
// clang-format on

}  // namespace plumb::kernels
