// Elementwise operators of every device against the C++ library in double.
#include "tests/cuda/device_test.h"

namespace plumb::test {
namespace {

using kernels::Binary;
using kernels::Unary;
class Elementwise : public OnDevices {};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double gelu_tanh(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }
template <class F>
double slope(F f, double x) {
  return (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;
}

double reference(Unary op, double x) {
  switch (op) {
    case Unary::neg: return -x;
    case Unary::abs: return std::abs(x);
    case Unary::sign: return (x > 0) - (x < 0);
    case Unary::exp: return std::exp(x);
    case Unary::expm1: return std::expm1(x);
    case Unary::log: return std::log(x);
    case Unary::log1p: return std::log1p(x);
    case Unary::sqrt: return std::sqrt(x);
    case Unary::rsqrt: return 1 / std::sqrt(x);
    case Unary::reciprocal: return 1 / x;
    case Unary::square: return x * x;
    case Unary::sin: return std::sin(x);
    case Unary::cos: return std::cos(x);
    case Unary::tanh: return std::tanh(x);
    case Unary::sigmoid: return sigmoid(x);
    case Unary::log_sigmoid: return -std::log1p(std::exp(-x));
    case Unary::softplus: return std::log1p(std::exp(x));
    case Unary::relu: return std::max(x, 0.0);
    case Unary::silu: return x * sigmoid(x);
    case Unary::gelu: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Unary::gelu_tanh: return gelu_tanh(x);
    case Unary::erf: return std::erf(x);
    case Unary::floor: return std::floor(x);
    case Unary::round: return std::nearbyint(x);
    case Unary::is_finite: return std::isfinite(x);
    case Unary::logical_not: return x == 0;
    case Unary::log1m_exp: return std::log1p(-std::exp(x));
  }
  return 0;
}
Values domain(Unary op, const Values& v) {
  Values out = v;
  for (auto& x : out) {
    if (op == Unary::log || op == Unary::sqrt || op == Unary::rsqrt || op == Unary::log1p) x = std::abs(x) + 0.125;
    if (op == Unary::log1m_exp) x = -std::abs(x) - 0.125;
  }
  return out;
}

TEST_F(Elementwise, UnaryOperatorsAgreeWithTheLibrary) {
  each([](Backend& d) {
    for (const DType t : floats) {
      for (int i = 0; i <= static_cast<int>(Unary::log1m_exp); ++i) {
        const auto op = static_cast<Unary>(i);
        const Values x = rounded(domain(op, normals(700, 3, 2)), t);
        const DType to = op == Unary::is_finite || op == Unary::logical_not ? DType::u8 : t;
        const Array a(d, t, {700}, x), out(d, to, {700}, zeros(700));
        d.unary(op, a.raw(), out.raw());
        Values want;
        for (const double v : x) want.push_back(reference(op, v));
        expect_close(out.values(), want, tolerance_of(t), "unary " + std::to_string(i) + " " + name_of(t));
      }
    }
  });
}

double reference(Binary op, double a, double b) {
  switch (op) {
    case Binary::add: return a + b;
    case Binary::sub: return a - b;
    case Binary::mul: return a * b;
    case Binary::div: return a / b;
    case Binary::pow: return std::pow(a, b);
    case Binary::maximum: return std::max(a, b);
    case Binary::minimum: return std::min(a, b);
    case Binary::log_add_exp: return std::log(std::exp(a) + std::exp(b));
    case Binary::atan2: return std::atan2(a, b);
    case Binary::equal: return a == b;
    case Binary::less: return a < b;
    case Binary::less_equal: return a <= b;
    case Binary::logical_and: return a != 0 && b != 0;
    case Binary::logical_or: return a != 0 || b != 0;
    case Binary::gelu_grad: return b * slope([](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }, a);
    case Binary::gelu_tanh_grad: return b * slope(gelu_tanh, a);
    case Binary::silu_grad: return b * slope([](double x) { return x * sigmoid(x); }, a);
    case Binary::tanh_grad: return (1 - a * a) * b;
    case Binary::sigmoid_grad: return a * (1 - a) * b;
  }
  return 0;
}
bool is_predicate(Binary op) { return op >= Binary::equal && op <= Binary::logical_or; }

TEST_F(Elementwise, BinaryOperatorsAgreeWithTheLibraryThroughAnyStrides) {
  each([](Backend& d) {
    for (const DType t : floats) {
      for (int i = 0; i <= static_cast<int>(Binary::sigmoid_grad); ++i) {
        const auto op = static_cast<Binary>(i);
        const double tolerance = std::max(tolerance_of(t), op >= Binary::gelu_grad ? 1e-9 : 0);
        Values x = rounded(normals(60, 4), t), y = rounded(normals(5, 5), t);
        if (op == Binary::pow)
          for (auto& v : x) v = std::abs(v);
        const Array a(d, t, {3, 4, 5}, {5, 15, 1}, x), b(d, t, {3, 4, 5}, {0, 0, 1}, y);  // permuted; broadcast
        const Array out(d, is_predicate(op) ? DType::u8 : t, {3, 4, 5}, zeros(60));
        d.binary(op, a.raw(), b.raw(), out.raw());
        const Values av = a.values(), bv = b.values();
        Values want, want_first;
        for (std::size_t k = 0; k < av.size(); ++k) want.push_back(reference(op, av[k], bv[k]));
        expect_close(out.values(), want, tolerance, "binary " + std::to_string(i) + " " + name_of(t));
        if (op == Binary::pow) continue;
        d.scalar(op, a.raw(), 0.75, true, out.raw());
        for (const double v : av) want_first.push_back(reference(op, 0.75, v));
        expect_close(out.values(), want_first, tolerance, "scalar " + std::to_string(i) + " " + name_of(t));
      }
    }
  });
}

TEST_F(Elementwise, ExtremesAreExact) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  each([&](Backend& d) {
    for (const DType t : floats) {
      const Array x(d, t, {5}, {-inf, -100, 0, inf, nan}), out(d, t, {5}, zeros(5));
      const auto check = [&](Unary op, const Values& want) {
        d.unary(op, x.raw(), out.raw());
        expect_close(out.values(), want, tolerance_of(t), "unary " + std::to_string(static_cast<int>(op)));
      };
      check(Unary::silu, {0, 0, 0, inf, nan});
      check(Unary::gelu, {0, 0, 0, inf, nan});
      check(Unary::gelu_tanh, {0, 0, 0, inf, nan});
      check(Unary::sigmoid, {0, 0, 0.5, 1, nan});
      check(Unary::log_sigmoid, {-inf, -100, -std::log(2.0), 0, nan});
      check(Unary::sign, {-1, -1, 0, 1, nan});
      check(Unary::relu, {0, 0, 0, inf, nan});
      const Array y(d, t, {5}, {-inf, nan, 0, inf, 1});
      d.binary(Binary::log_add_exp, x.raw(), y.raw(), out.raw());
      expect_close(out.values(), {-inf, nan, std::log(2.0), inf, nan}, tolerance_of(t));
      d.binary(Binary::maximum, x.raw(), y.raw(), out.raw());
      expect_close(out.values(), {-inf, nan, 0, inf, nan}, 0);
    }
  });
}

TEST_F(Elementwise, CopyConvertsAndPermutes) {
  each([](Backend& d) {
    for (const DType from : {DType::f64, DType::f32, DType::bf16, DType::i64, DType::i32, DType::u8}) {
      for (const DType to : {DType::f64, DType::f32, DType::bf16, DType::i64, DType::i32, DType::u8}) {
        const Array x(d, from, {2, 3, 4}, {1, 2, 6}, integers(24, 1, 0, 100)), out(d, to, {2, 3, 4}, zeros(24));
        d.copy(x.raw(), out.raw());
        EXPECT_EQ(out.values(), x.values()) << name_of(from) << " to " << name_of(to);
      }
    }
    const Array filled(d, DType::bf16, {7}, zeros(7));
    d.fill(filled.raw(), 1.5);
    EXPECT_EQ(filled.values(), Values(7, 1.5));
  });
}

TEST_F(Elementwise, SelectTakesEitherSide) {
  each([](Backend& d) {
    const Array mask(d, DType::u8, {3, 2}, {1, 0}, {1, 0, 2}), a(d, DType::i64, {3, 2}, {1, 2, 3, 4, 5, 6});
    const Array b(d, DType::i64, {3, 2}, {0, 0}, {-1}), out(d, DType::i64, {3, 2}, zeros(6));
    d.select(mask.raw(), a.raw(), b.raw(), out.raw());
    EXPECT_EQ(out.values(), (Values{1, 2, -1, -1, 5, 6}));
  });
}

TEST_F(Elementwise, IntegersAreExact) {
  each([](Backend& d) {
    const Array a(d, DType::i64, {4}, {-3, 0, 7, 1}), b(d, DType::i64, {4}, {2, 5, -7, 1}),
        out(d, DType::i64, {4}, zeros(4));
    d.binary(Binary::mul, a.raw(), b.raw(), out.raw());
    EXPECT_EQ(out.values(), (Values{-6, 0, -49, 1}));
    d.unary(Unary::abs, a.raw(), out.raw());
    EXPECT_EQ(out.values(), (Values{3, 0, 7, 1}));
    d.scalar(Binary::sub, a.raw(), 2, true, out.raw());
    EXPECT_EQ(out.values(), (Values{5, 2, -5, 1}));
  });
}

}  // namespace
}  // namespace plumb::test
