// References of the elementary functions, in forms that do not cancel.
#include "lab/check/numbers/elementary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace plumb::lab {
namespace {

using kernels::Binary;
using kernels::Unary;

template <class R>
R sigmoid(R x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
template <class R>
R softplus(R x) {
  return std::fmax(x, R{0}) + std::log1p(std::exp(-std::fabs(x))) + (x - x);  // NaN stays; infinities are the callers'
}
template <class R>
R log_sigmoid(R x) {
  if (std::isinf(x)) return x < 0 ? x : R{0};
  return -softplus(-x);
}
template <class R>
R log1m_exp(R x) {
  return x > -std::numbers::ln2_v<R> ? std::log(-std::expm1(x)) : std::log1p(-std::exp(x));
}
template <class R>
R upper_tail(R x) {  // P(Z > x)
  return std::erfc(x / std::numbers::sqrt2_v<R>) / 2;
}
template <class R>
R gelu(R x) {
  return std::isinf(x) ? std::fmax(x, R{0}) : x * upper_tail(-x);
}
template <class R>
R silu(R x) {
  return std::isinf(x) ? std::fmax(x, R{0}) : x * sigmoid(x);
}
constexpr long double tanh_form = 0.044715L;
template <class R>
R gelu_tanh(R x) {
  if (std::isinf(x)) return std::fmax(x, R{0});
  const R root = std::sqrt(2 / std::numbers::pi_v<R>);
  return x * sigmoid(2 * root * x * (1 + R(tanh_form) * x * x));
}

// A function by its name, at both precisions.
template <class F>
UnaryFunction unary(const char* name, Unary op, double f32_limit, double f64_limit, F, std::vector<double> hard = {},
                    double low = -HUGE_VAL) {
  return {name,
          op,
          f32_limit,
          f64_limit,
          low,
          [](double x) -> double { return F{}(x); },
          [](long double x) -> long double { return F{}(x); },
          std::move(hard)};
}

long double of_result(long double, long double, long double result) { return result; }
long double of_terms(long double a, long double b, long double) { return std::fmax(std::fabs(a), std::fabs(b)); }
long double of_gradient(long double, long double g, long double result) {  // slopes cross zero
  return std::fmax(std::fabs(g), std::fabs(result));
}

long double log_add_exp(long double a, long double b) {
  if (a == b) return a + std::numbers::ln2_v<long double>;
  return std::fmax(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
}
long double density(long double x) {
  return std::exp(-x * x / 2) * std::numbers::inv_sqrtpi_v<long double> / std::numbers::sqrt2_v<long double>;
}
long double silu_slope(long double x) {
  const long double s = sigmoid(x), rest = sigmoid(-x);
  return s + x * s * rest;
}
long double gelu_tanh_slope(long double x) {
  const long double root = std::sqrt(2 / std::numbers::pi_v<long double>), u2 = 2 * root * x * (1 + tanh_form * x * x);
  return sigmoid(u2) + x * sigmoid(u2) * sigmoid(-u2) * 2 * root * (1 + 3 * tanh_form * x * x);
}

}  // namespace

const std::vector<UnaryFunction>& unary_functions() {
  static const std::vector<UnaryFunction> all{
      unary("exp", Unary::exp, 2, 2, [](auto x) { return std::exp(x); }),
      unary("expm1", Unary::expm1, 2, 2, [](auto x) { return std::expm1(x); }),
      unary("log", Unary::log, 2, 2, [](auto x) { return std::log(x); }),
      unary("log1p", Unary::log1p, 2, 2, [](auto x) { return std::log1p(x); }),
      unary("log1m_exp", Unary::log1m_exp, 2, 2, [](auto x) { return log1m_exp(x); }),
      unary("tanh", Unary::tanh, 2, 2, [](auto x) { return std::tanh(x); }),
      unary("sigmoid", Unary::sigmoid, 2, 2, [](auto x) { return sigmoid(x); }),
      unary("log_sigmoid", Unary::log_sigmoid, 2, 2, [](auto x) { return log_sigmoid(x); }),
      unary("softplus", Unary::softplus, 2, 2, [](auto x) { return -log_sigmoid(-x); }),
      unary("silu", Unary::silu, 3, 3, [](auto x) { return silu(x); },
            {-3.2262125, -103.972076, -3.2318458189580244, -3.2156893689880661, -743.19007944895009}),
      unary(
          "gelu", Unary::gelu, 3.5, 3.5, [](auto x) { return gelu(x); },
          {0.0305075161, -0.0659487024, -0.95348292326651718, -0.96947908908324187}, -1),
      unary(
          "gelu_tanh", Unary::gelu_tanh, 3, 3, [](auto x) { return gelu_tanh(x); },
          {-0.839306951, -0.67338284718634456, -0.9480234118709816}, -1),
      // Where nearly nothing is left the relative error is that of x^2 or x^3 times its size; or results are denormal.
      unary("gelu, tail", Unary::gelu, 7, 100, [](auto x) { return gelu(x); },
            {-11.14923, -35.822647856082853, -37.543447117020936, -37.679223169580446}),
      unary("gelu_tanh, tail", Unary::gelu_tanh, 128, 1000, [](auto x) { return gelu_tanh(x); },
            {-10.0409126, -19.340896313993341, -20.630217433722706}),
      unary("erf", Unary::erf, 2, 2, [](auto x) { return std::erf(x); }),
      unary("sin", Unary::sin, 2, 2, [](auto x) { return std::sin(x); }),
      unary("cos", Unary::cos, 2, 2, [](auto x) { return std::cos(x); }),
      unary("rsqrt", Unary::rsqrt, 2, 2, [](auto x) { return 1 / std::sqrt(x); }),
      unary("sqrt", Unary::sqrt, 0.5001, 0.5001, [](auto x) { return std::sqrt(x); }),
      unary("reciprocal", Unary::reciprocal, 0.5001, 0.5001, [](auto x) { return 1 / x; }),
      unary("square", Unary::square, 0.5001, 0.5001, [](auto x) { return x * x; }),
      unary("floor", Unary::floor, 0, 0, [](auto x) { return std::floor(x); }),
      unary("round", Unary::round, 0, 0, [](auto x) { return std::nearbyint(x); }),
      unary("relu", Unary::relu, 0, 0, [](auto x) { return x <= 0 ? 0 : x; }),
  };
  return all;
}

const std::vector<BinaryFunction>& binary_functions() {
  using Real = long double;
  static const std::vector<BinaryFunction> all{
      {"pow", Binary::pow, 2, 2, [](Real a, Real b) { return std::pow(a, b); }, of_result},
      {"atan2", Binary::atan2, 2, 2, [](Real a, Real b) { return std::atan2(a, b); }, of_result},
      {"log_add_exp",
       Binary::log_add_exp,
       2,
       2,
       log_add_exp,
       of_terms,
       0,
       {{-0.20933233201503754, -0.48207136988639832}, {0.02542685903608799, -0.495229572057724}}},
      {"gelu_grad", Binary::gelu_grad, 4, 4, [](Real x, Real g) { return g * (upper_tail(-x) + x * density(x)); },
       of_gradient},
      {"gelu_tanh_grad", Binary::gelu_tanh_grad, 4, 4, [](Real x, Real g) { return g * gelu_tanh_slope(x); },
       of_gradient},
      {"silu_grad", Binary::silu_grad, 4, 4, [](Real x, Real g) { return g * silu_slope(x); }, of_gradient},
      {"tanh_grad", Binary::tanh_grad, 4, 4, [](Real y, Real g) { return g * (1 - y) * (1 + y); }, of_gradient, 1},
      {"sigmoid_grad", Binary::sigmoid_grad, 4, 4, [](Real y, Real g) { return g * y * (1 - y); }, of_gradient, 1},
  };
  return all;
}

}  // namespace plumb::lab
