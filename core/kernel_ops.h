// The names of elementwise operators, reductions and distributions. No other header is included: kernels compiled for
// an instruction set or for a device share this list with core/backend.h.
#pragma once

#include <stdint.h>

namespace plumb::kernels {

enum class Unary : uint8_t {
  neg,
  abs,
  sign,
  exp,
  expm1,
  log,
  log1p,
  sqrt,
  rsqrt,
  reciprocal,
  square,
  sin,
  cos,
  tanh,
  sigmoid,
  log_sigmoid,
  softplus,
  relu,
  silu,
  gelu,
  gelu_tanh,
  erf,
  floor,
  round,
  is_finite,
  logical_not,  // the last two: -> u8
  log1m_exp,    // log(1 - e^x), x < 0
};
enum class Binary : uint8_t {
  add,
  sub,
  mul,
  div,
  pow,
  maximum,
  minimum,
  log_add_exp,
  atan2,
  equal,
  less,
  less_equal,  // -> u8
  logical_and,
  logical_or,  // u8 -> u8
  gelu_grad,
  gelu_tanh_grad,
  silu_grad,
  tanh_grad,
  sigmoid_grad,  // (x or y as named, g) -> dx; first order, fused
};               // *_grad: gelu, gelu_tanh, silu take the input x; tanh, sigmoid take the output y
enum class Reduce : uint8_t { sum, max, min };
enum class Distribution : uint8_t { uniform, normal, truncated_normal, gumbel, bits };

}  // namespace plumb::kernels
