// Elementwise functions. Every one lets NaN through.
#include <numbers>

#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

double sigmoid_of(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double softplus_of(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double gelu_tanh_of(double x) {  // 1 + tanh(u) = 2 sigmoid(2u), without cancellation
  const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return x * sigmoid_of(2 * u);
}

void integers_refused(Spec& s, const std::string& name) {
  s.rejects({filled({2}, DType::i64)}, "[" + name + "] needs a floating dtype, not i64 [2]");
}

}  // namespace

OP_SPEC("abs") {
  s.unary(abs, [](double x) { return std::abs(x); });
  s.exact({-inf}, inf).exact({-0.0}, 0).exact({nan}, nan).at({-1000, 1000});
}
OP_SPEC("exp") {
  s.unary(exp, [](double x) { return std::exp(x); });
  s.exact({inf}, inf).exact({-inf}, 0).exact({0}, 1).exact({-0.0}, 1).exact({nan}, nan).at({-1000, -80, 80, 1000});
  integers_refused(s, "exp");
}
OP_SPEC("expm1") {
  s.unary(expm1, [](double x) { return std::expm1(x); });
  s.exact({inf}, inf)
      .exact({-inf}, -1)
      .exact({0}, 0)
      .exact({-0.0}, -0.0)
      .exact({nan}, nan)
      .at({-1000, -1e-5, 1e-10, 1e-5, 80, 1000});
  integers_refused(s, "expm1");
}
OP_SPEC("log") {
  s.domain(0.1, 4).unary(log, [](double x) { return std::log(x); });
  s.exact({0}, -inf).exact({1}, 0).exact({inf}, inf).exact({-1}, nan).exact({nan}, nan).at({1e-30, 1000});
  integers_refused(s, "log");
}
OP_SPEC("log1p") {
  s.domain(-0.8, 3).unary(log1p, [](double x) { return std::log1p(x); });
  s.exact({-1}, -inf)
      .exact({-0.0}, -0.0)
      .exact({inf}, inf)
      .exact({-2}, nan)
      .exact({nan}, nan)
      .at({1e-10, -1e-10, 1000});
  integers_refused(s, "log1p");
}
OP_SPEC("log1m_exp") {
  s.domain(-4, -0.1).unary(
      log1m_exp, [](double x) { return x > -std::numbers::ln2 ? std::log(-std::expm1(x)) : std::log1p(-std::exp(x)); });
  s.exact({0}, -inf)
      .exact({-inf}, -0.0)
      .exact({nan}, nan)
      .exact({1}, nan)
      .at({-0x1p-30, -0x1p-10, -std::numbers::ln2, -20, -80, -1000});
  integers_refused(s, "log1m_exp");
}
OP_SPEC("sqrt") {
  s.domain(0.2, 4).unary(sqrt, [](double x) { return std::sqrt(x); });
  s.exact({0}, 0).exact({-0.0}, -0.0).exact({inf}, inf).exact({-1}, nan).exact({nan}, nan).at({4, 1000});
  integers_refused(s, "sqrt");
}
OP_SPEC("rsqrt") {
  s.domain(0.2, 4).unary(rsqrt, [](double x) { return 1 / std::sqrt(x); });
  s.exact({0}, inf).exact({inf}, 0).exact({-1}, nan).exact({nan}, nan).at({4, 1000});
  integers_refused(s, "rsqrt");
}
OP_SPEC("reciprocal") {
  s.domain(0.3, 4).unary(reciprocal, [](double x) { return 1 / x; });
  s.exact({0}, inf).exact({-0.0}, -inf).exact({inf}, 0).exact({-inf}, -0.0).exact({nan}, nan).at({-1000, 1000});
  integers_refused(s, "reciprocal");
}
OP_SPEC("square") {
  s.unary(square, [](double x) { return x * x; });
  s.exact({-inf}, inf).exact({-0.0}, 0).exact({nan}, nan).at({-1000, 1000});
}
OP_SPEC("sin") {
  s.unary(sin, [](double x) { return std::sin(x); });
  s.exact({inf}, nan).exact({-0.0}, -0.0).exact({nan}, nan).at({-1000, 1, 1000});
  integers_refused(s, "sin");
}
OP_SPEC("cos") {
  s.domain(-1.4, 1.4).unary(cos, [](double x) { return std::cos(x); });
  s.exact({inf}, nan).exact({0}, 1).exact({nan}, nan).at({-1000, 1, 1000});
  integers_refused(s, "cos");
}
OP_SPEC("tanh") {
  s.unary(tanh, [](double x) { return std::tanh(x); });
  s.exact({inf}, 1).exact({-inf}, -1).exact({-0.0}, -0.0).exact({nan}, nan).at({-1000, 1e-8, 1e-3, 9, 20, 1000});
  integers_refused(s, "tanh");
}
OP_SPEC("sigmoid") {
  s.unary(sigmoid, sigmoid_of);
  s.exact({inf}, 1).exact({-inf}, 0).exact({0}, 0.5).exact({nan}, nan).at({-1000, -80, -20, 20, 1000});
  integers_refused(s, "sigmoid");
}
OP_SPEC("log_sigmoid") {
  s.unary(log_sigmoid, [](double x) { return -softplus_of(-x); });
  s.exact({inf}, 0)
      .exact({-inf}, -inf)
      .exact({0}, -std::numbers::ln2)
      .exact({nan}, nan)
      .at({-1000, -80, -20, 20, 80, 1000});
  integers_refused(s, "log_sigmoid");
}
OP_SPEC("softplus") {
  s.unary(softplus, softplus_of);
  s.exact({inf}, inf)
      .exact({-inf}, 0)
      .exact({0}, std::numbers::ln2)
      .exact({nan}, nan)
      .at({-1000, -80, -20, 20, 80, 1000});
  integers_refused(s, "softplus");
}
OP_SPEC("relu") {
  s.unary(relu, [](double x) { return std::max(x, 0.0); });
  s.exact({inf}, inf).exact({-inf}, 0).exact({0}, 0).exact({nan}, nan).at({-1000, 1000});
}
OP_SPEC("silu") {
  s.unary(silu, [](double x) { return x * sigmoid_of(x); });
  s.exact({inf}, inf).exact({-0.0}, -0.0).exact({nan}, nan).at({-1000, -80, -20, 20, 1000});
  integers_refused(s, "silu");
}
OP_SPEC("gelu") {
  s.unary(gelu, [](double x) { return x * normal_cdf(x); });
  s.exact({inf}, inf).exact({0}, 0).exact({nan}, nan).at({-1000, 1e-8, 4, 10, 1000});
  integers_refused(s, "gelu");
}
OP_SPEC("gelu_tanh") {
  s.tolerance({.f32_ulps = 8}).unary(gelu_tanh, gelu_tanh_of);  // 1 + tanh cancels on the left
  s.exact({inf}, inf).exact({0}, 0).exact({nan}, nan).at({-1000, 1e-8, 4, 10, 1000});
  integers_refused(s, "gelu_tanh");
}
OP_SPEC("erf") {
  s.unary(erf, [](double x) { return std::erf(x); });
  s.exact({inf}, 1).exact({-inf}, -1).exact({-0.0}, -0.0).exact({nan}, nan).at({-1000, 1e-8, 1e-3, 3, 5, 1000});
  integers_refused(s, "erf");
}

}  // namespace plumb::specs
