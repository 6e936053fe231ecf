// Arithmetic and its rules.
#include <cmath>

#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {

using kernels::Binary;

Var operator+(const Var& a, const Var& b) {
  return record("add", {a, b}, kernels::binary("add", Binary::add, a.value(), b.value()), Saves::nothing,
                [](const Saved&, const Var& g) -> Grads {
                  return {g, g};
                });
}

Var operator-(const Var& a, const Var& b) {
  return record("sub", {a, b}, kernels::binary("sub", Binary::sub, a.value(), b.value()), Saves::nothing,
                [](const Saved& in, const Var& g) -> Grads {
                  return {g, in.needs(1) ? -g : Var()};
                });
}

Var operator*(const Var& a, const Var& b) {
  return record("mul", {a, b}, kernels::binary("mul", Binary::mul, a.value(), b.value()), Saves::inputs,
                [](const Saved& in, const Var& g) -> Grads {
                  return {in.needs(0) ? g * in[1] : Var(), in.needs(1) ? g * in[0] : Var()};
                });
}

Var operator/(const Var& a, const Var& b) {
  return record("div", {a, b}, kernels::binary("div", Binary::div, a.value(), b.value()), Saves::inputs,
                [](const Saved& in, const Var& g) -> Grads {
                  const Var over = g / in[1];
                  return {over, in.needs(1) ? -(over * in[0] / in[1]) : Var()};
                });
}

Var operator-(const Var& a) {
  return record("neg", {a}, kernels::unary("neg", kernels::Unary::neg, a.value()), Saves::nothing,
                [](const Saved&, const Var& g) -> Grads { return {-g}; });
}

namespace {

Var shifted(const char* name, Binary op, const Var& a, double s, bool scalar_first, double slope) {
  return record(name, {a}, kernels::scalar(name, op, a.value(), s, scalar_first), Saves::nothing,
                [slope](const Saved&, const Var& g) -> Grads { return {slope == 1 ? g : g * slope}; });
}

}  // namespace

Var operator+(const Var& a, double s) { return shifted("add", Binary::add, a, s, false, 1); }
Var operator+(double s, const Var& a) { return a + s; }
Var operator-(const Var& a, double s) { return shifted("sub", Binary::sub, a, s, false, 1); }
Var operator-(double s, const Var& a) { return shifted("sub", Binary::sub, a, s, true, -1); }
Var operator*(const Var& a, double s) { return shifted("mul", Binary::mul, a, s, false, s); }
Var operator*(double s, const Var& a) { return a * s; }

Var operator/(const Var& a, double s) {
  return record("div", {a}, kernels::scalar("div", Binary::div, a.value(), s), Saves::nothing,
                [s](const Saved&, const Var& g) -> Grads { return {g / s}; });
}

Var operator/(double s, const Var& a) {
  return record("div", {a}, kernels::scalar("div", Binary::div, a.value(), s, true), Saves::inputs,
                [s](const Saved& in, const Var& g) -> Grads { return {-(g * (s / square(in[0])))}; });
}

Var pow(const Var& a, double exponent) {
  return record("pow", {a}, kernels::scalar("pow", Binary::pow, a.value(), exponent), Saves::inputs,
                [exponent](const Saved& in, const Var& g) -> Grads {
                  if (exponent == 0) return {g * 0.0};
                  return {g * (exponent * pow(in[0], exponent - 1))};
                });
}

namespace {

// The share of the gradient that the first input of an extremum gets: 1, 0, or 1/2 where both are equal.
Var first_share(const Tensor& wins, const Tensor& ties, DType dtype) {
  return Var(kernels::scalar("share", Binary::mul, ties.to(dtype), 0.5)) + Var(wins.to(dtype));
}

Var extremum(const char* name, Binary op, const Var& a, const Var& b) {
  return record(name, {a, b}, kernels::binary(name, op, a.value(), b.value()), Saves::inputs,
                [name, op](const Saved& in, const Var& g) -> Grads {
                  const Tensor x = in[0].value(), y = in[1].value();
                  const Tensor wins = op == Binary::maximum ? kernels::binary(name, Binary::less, y, x)
                                                            : kernels::binary(name, Binary::less, x, y);
                  const Var share = first_share(wins, kernels::binary(name, Binary::equal, x, y), g.dtype());
                  return {g * share, g * (1.0 - share)};
                });
}

}  // namespace

Var maximum(const Var& a, const Var& b) { return extremum("maximum", Binary::maximum, a, b); }
Var minimum(const Var& a, const Var& b) { return extremum("minimum", Binary::minimum, a, b); }

Var clamp(const Var& a, double low, double high) {
  if (!(low <= high)) fail("clamp", "the lower end {} is above the upper end {}", low, high);
  Tensor value = kernels::scalar("clamp", Binary::maximum, a.value(), low);
  value = kernels::scalar("clamp", Binary::minimum, value, high);
  return record("clamp", {a}, std::move(value), Saves::inputs, [low, high](const Saved& in, const Var& g) -> Grads {
    const Tensor x = in[0].value();
    const Tensor inside =
        kernels::binary("clamp", Binary::logical_and, kernels::scalar("clamp", Binary::less_equal, x, low, true),
                        kernels::scalar("clamp", Binary::less_equal, x, high));
    return {where(inside, g, g * 0.0)};
  });
}

// Exact at +-inf; never overflows.
Var log_add_exp(const Var& a, const Var& b) {
  return record("log_add_exp", {a, b}, kernels::binary("log_add_exp", Binary::log_add_exp, a.value(), b.value()),
                Saves::inputs, [](const Saved& in, const Var& g) -> Grads {
                  const Var weight = sigmoid(in[0] - in[1]);
                  return {g * weight, g * (1.0 - weight)};
                });
}

Var where(const Tensor& mask, const Var& a, const Var& b) {
  return record("where", {a, b}, kernels::select("where", mask, a.value(), b.value()), Saves::nothing,
                [mask](const Saved& in, const Var& g) -> Grads {
                  const Var zero(Tensor::scalar(0, g.dtype(), g.device()));
                  return {in.needs(0) ? where(mask, g, zero) : Var(), in.needs(1) ? where(mask, zero, g) : Var()};
                });
}

Tensor operator<(const Var& a, const Var& b) { return kernels::binary("less", Binary::less, a.value(), b.value()); }
Tensor operator<=(const Var& a, const Var& b) {
  return kernels::binary("less_equal", Binary::less_equal, a.value(), b.value());
}
Tensor equal(const Var& a, const Var& b) { return kernels::binary("equal", Binary::equal, a.value(), b.value()); }

}  // namespace plumb
