// Elementwise functions and their derivatives, one short rule each.
#include <numbers>

#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {

using kernels::Binary;
using kernels::Unary;

namespace {

template <class Rule>
Var from_input(const char* name, Unary op, const Var& x, Rule slope) {  // slope(x) = dy/dx
  return record(name, {x}, kernels::unary(name, op, x.value()), Saves::inputs,
                [slope](const Saved& in, const Var& g) -> Grads { return {g * slope(in[0])}; });
}

template <class Rule>
Var from_output(const char* name, Unary op, const Var& x, Rule slope) {  // slope(y) = dy/dx
  return record(name, {x}, kernels::unary(name, op, x.value()), Saves::output,
                [slope](const Saved& in, const Var& g) -> Grads { return {g * slope(in.output())}; });
}

// Where no second derivative is asked for, one fused pass does the work of `slope`.
template <class Rule>
Var fused(const char* name, Unary op, Binary grad, Saves saves, const Var& x, Rule slope) {
  return record(name, {x}, kernels::unary(name, op, x.value()), saves,
                [name, grad, saves, slope](const Saved& in, const Var& g) -> Grads {
                  const Var v = saves == Saves::output ? in.output() : in[0];
                  if (!grad_enabled()) return {Var(kernels::binary(name, grad, v.value(), g.value()))};
                  return {g * slope(v)};
                });
}

Var sign_of(const Var& x) { return Var(kernels::unary("sign", Unary::sign, x.value())); }

}  // namespace

Var abs(const Var& x) { return from_input("abs", Unary::abs, x, sign_of); }
Var exp(const Var& x) {
  return from_output("exp", Unary::exp, x, [](const Var& y) { return y; });
}
Var expm1(const Var& x) {
  return from_output("expm1", Unary::expm1, x, [](const Var& y) { return y + 1.0; });
}
Var log(const Var& x) {
  return from_input("log", Unary::log, x, [](const Var& v) { return reciprocal(v); });
}
Var log1p(const Var& x) {
  return from_input("log1p", Unary::log1p, x, [](const Var& v) { return reciprocal(v + 1.0); });
}

// d/dx log(1 - e^x) = -e^x / (1 - e^x) = 1 / expm1(-x) ... with the sign of a falling function.
Var log1m_exp(const Var& x) {
  return from_input("log1m_exp", Unary::log1m_exp, x, [](const Var& v) { return -reciprocal(expm1(-v)); });
}

Var sqrt(const Var& x) {
  return from_output("sqrt", Unary::sqrt, x, [](const Var& y) { return 0.5 / y; });
}
Var rsqrt(const Var& x) {
  return from_output("rsqrt", Unary::rsqrt, x, [](const Var& y) { return -0.5 * (y * y * y); });
}
Var reciprocal(const Var& x) {
  return from_output("reciprocal", Unary::reciprocal, x, [](const Var& y) { return -(y * y); });
}
Var square(const Var& x) {
  return from_input("square", Unary::square, x, [](const Var& v) { return v * 2.0; });
}
Var sin(const Var& x) {
  return from_input("sin", Unary::sin, x, [](const Var& v) { return cos(v); });
}
Var cos(const Var& x) {
  return from_input("cos", Unary::cos, x, [](const Var& v) { return -sin(v); });
}

Var tanh(const Var& x) {
  return fused("tanh", Unary::tanh, Binary::tanh_grad, Saves::output, x, [](const Var& y) { return 1.0 - y * y; });
}
Var sigmoid(const Var& x) {
  return fused("sigmoid", Unary::sigmoid, Binary::sigmoid_grad, Saves::output, x,
               [](const Var& y) { return y * (1.0 - y); });
}
Var log_sigmoid(const Var& x) {
  return from_input("log_sigmoid", Unary::log_sigmoid, x, [](const Var& v) { return sigmoid(-v); });
}
Var softplus(const Var& x) {
  return from_input("softplus", Unary::softplus, x, [](const Var& v) { return sigmoid(v); });
}

Var relu(const Var& x) {
  return from_input("relu", Unary::relu, x, [](const Var& v) {
    return Var(kernels::scalar("relu", Binary::less, v.value(), 0, true).to(v.dtype()));
  });
}

Var silu(const Var& x) {
  return fused("silu", Unary::silu, Binary::silu_grad, Saves::inputs, x, [](const Var& v) {
    const Var s = sigmoid(v);
    return s * (1.0 + v * (1.0 - s));
  });
}

Var gelu(const Var& x) {  // Phi(x) + x phi(x)
  return fused("gelu", Unary::gelu, Binary::gelu_grad, Saves::inputs, x, [](const Var& v) {
    const double to_unit = 1 / std::numbers::sqrt2, density = 0.5 * std::numbers::inv_sqrtpi * std::numbers::sqrt2;
    return 0.5 * (1.0 + erf(v * to_unit)) + v * (exp(square(v) * -0.5) * density);
  });
}

Var gelu_tanh(const Var& x) {
  return fused("gelu_tanh", Unary::gelu_tanh, Binary::gelu_tanh_grad, Saves::inputs, x, [](const Var& v) {
    const double c = std::numbers::sqrt2 * std::numbers::inv_sqrtpi, a = 0.044715;
    const Var t = tanh(c * (v + a * (v * v * v)));
    return 0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) * (c * (1.0 + 3 * a * (v * v)));
  });
}

Var erf(const Var& x) {
  return from_input("erf", Unary::erf, x,
                    [](const Var& v) { return exp(-square(v)) * (2 * std::numbers::inv_sqrtpi); });
}

}  // namespace plumb
