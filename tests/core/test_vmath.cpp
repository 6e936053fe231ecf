// Elementary functions against 80-bit references, on every instruction set of this CPU.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "core/cpu/elementwise_table.h"
#include "tests/core/isa_cases.h"

namespace plumb::cpu {
namespace {

using kernels::Binary;
using kernels::Unary;
using Real = long double;

constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();

std::vector<test::IsaTable<ElementwiseTable>> tables() {
  return test::runnable<ElementwiseTable>(baseline::elementwise_table, avx2::elementwise_table,
                                          avx512::elementwise_table);
}

// Every exponent, many mantissas, both signs; then a dense stretch around what matters.
std::vector<float> floats() {
  std::vector<float> x;
  std::uint32_t state = 12345;
  const auto next = [&] { return state = state * 1664525u + 1013904223u; };
  for (std::uint32_t exponent = 0; exponent < 255; ++exponent)
    for (int i = 0; i < 200; ++i)
      x.push_back(std::bit_cast<float>((next() & 0x80000000u) | exponent << 23 | (next() >> 9)));
  for (int i = 0; i < 100000; ++i) x.push_back(static_cast<float>(static_cast<std::int32_t>(next())) * 0x1p-31f * 20);
  for (const float s : {0.0f, 1.0f, 1000.0f, 88.7f, 104.0f, 0.69314718f, 1e-40f, inf, nan}) {
    x.push_back(s);
    x.push_back(-s);
  }
  return x;
}

// Distance in units of the last place of the nearest f32 to `exact`.
double ulps(float got, Real exact) {
  const float nearest = static_cast<float>(exact);
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e30;
  if (std::isinf(nearest) || std::isinf(got) || std::isnan(got)) return got == nearest ? 0 : 1e30;
  const float size = std::max(std::fabs(nearest), std::numeric_limits<float>::min());
  return static_cast<double>(std::fabs(static_cast<Real>(got) - exact) / (std::nextafter(size, inf) - size));
}

struct Function {
  const char* name;
  Unary op;
  double bound;
  std::function<Real(Real)> exact;
  float low = -inf, high = inf;  // where the bound is asked for
};

Real sigmoid(Real x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
Real softplus(Real x) { return std::fmax(x, Real{0}) + std::log1p(std::exp(-std::fabs(x))); }
Real log1m_exp(Real x) { return x > -0.693147180559945309L ? std::log(-std::expm1(x)) : std::log1p(-std::exp(x)); }
Real gelu(Real x) { return std::isinf(x) ? std::fmax(x, Real{0}) : x * 0.5L * std::erfc(-x * 0.707106781186547524L); }
Real gelu_tanh(Real x) {
  if (std::isinf(x)) return std::fmax(x, Real{0});
  return x * sigmoid(2 * std::sqrt(2 / 3.14159265358979323846L) * (x + 0.044715L * x * x * x));
}

const Function functions[] = {
    {"exp", Unary::exp, 1.1, [](Real x) { return std::exp(x); }},
    {"expm1", Unary::expm1, 2, [](Real x) { return std::expm1(x); }},
    {"log", Unary::log, 2, [](Real x) { return std::log(x); }},
    {"log1p", Unary::log1p, 2, [](Real x) { return std::log1p(x); }},
    {"tanh", Unary::tanh, 2, [](Real x) { return std::tanh(x); }},
    {"sigmoid", Unary::sigmoid, 2, sigmoid},
    {"softplus", Unary::softplus, 2, softplus},
    {"log_sigmoid", Unary::log_sigmoid, 2, [](Real x) { return -softplus(-x); }},
    {"log1m_exp", Unary::log1m_exp, 2, log1m_exp},
    {"sin", Unary::sin, 2, [](Real x) { return std::sin(x); }, -1000, 1000},
    {"cos", Unary::cos, 2, [](Real x) { return std::cos(x); }, -1000, 1000},
    {"erf", Unary::erf, 2, [](Real x) { return std::erf(x); }},
    {"sqrt", Unary::sqrt, 0.501, [](Real x) { return std::sqrt(x); }},
    {"rsqrt", Unary::rsqrt, 2, [](Real x) { return 1 / std::sqrt(x); }},
    {"gelu of positive numbers", Unary::gelu, 2.5, gelu, 0, inf},
    {"gelu around zero", Unary::gelu, 3, gelu, -1, inf},
    {"gelu with its tail", Unary::gelu, 7,
     gelu},  // relative to the tail itself: x (1 + erf) / 2 has no digit left there
    {"silu", Unary::silu, 3, [](Real x) { return std::isinf(x) ? std::fmax(x, Real{0}) : x * sigmoid(x); }, -80, inf},
    {"gelu_tanh", Unary::gelu_tanh, 3, gelu_tanh, -1, inf},
};

TEST(VectorMaths, StaysWithinItsUlpsOnEveryInstructionSet) {
  const std::vector<float> x = floats();
  std::vector<float> y(x.size());
  for (const auto& [isa, table] : tables())
    for (const Function& f : functions) {
      table->unary_f32(f.op)(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
      double worst = 0;
      float at = 0, got = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (x[i] < f.low || x[i] > f.high) continue;
        const double u = ulps(y[i], f.exact(x[i]));
        if (u > worst) worst = u, at = x[i], got = y[i];
      }
      EXPECT_LE(worst, f.bound) << isa << " " << f.name << "(" << at << ") = " << got;
      RecordProperty(isa + " " + f.name, std::to_string(worst));
    }
}

// f64 against 80 bits: relative to the result, away from denormals.
TEST(VectorMaths, IsAccurateInDoublePrecision) {
  std::vector<double> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(i * 0.005 + 1e-4);
  std::vector<double> y(x.size());
  for (const auto& [isa, table] : tables())
    for (const Function& f : functions) {
      table->unary_f64(f.op)(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const Real exact = f.exact(x[i]);
        if (std::isnan(exact) || x[i] < f.low) {
          EXPECT_EQ(std::isnan(exact), std::isnan(y[i])) << f.name;
          continue;
        }
        EXPECT_LE(std::fabs(y[i] - exact), (4e-15L + 4e-16L * x[i] * x[i]) * std::fabs(exact))
            << isa << " " << f.name << "(" << x[i] << ")";
      }
    }
}

TEST(VectorMaths, AnElementsBitsDoNotDependOnItsPlace) {
  const std::vector<float> x = floats();
  for (const auto& [isa, table] : tables())
    for (const Function& f : functions) {
      const auto loop = table->unary_f32(f.op);
      std::vector<float> whole(3000), lone(1), shifted(2999);
      const float* from = x.data() + 60000;
      loop(from, whole.data(), 3000);
      loop(from + 1, shifted.data(), 2999);
      EXPECT_EQ(0, std::memcmp(shifted.data(), whole.data() + 1, 2999 * 4)) << isa << " " << f.name;
      for (int i = 0; i < 100; ++i) {
        loop(from + i, lone.data(), 1);
        EXPECT_EQ(0, std::memcmp(lone.data(), whole.data() + i, 4)) << isa << " " << f.name;
      }
    }
}

TEST(VectorMaths, Avx2AndAvx512GiveTheSameBits) {
  if (!test::cpu_has("avx512")) GTEST_SKIP() << "no AVX-512 here";
  const std::vector<float> x = floats();
  std::vector<double> xd(x.begin(), x.end());
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<float> a(x.size()), b(x.size());
  std::vector<double> ad(x.size()), bd(x.size());
  for (const Function& f : functions) {
    avx2::elementwise_table().unary_f32(f.op)(x.data(), a.data(), n);
    avx512::elementwise_table().unary_f32(f.op)(x.data(), b.data(), n);
    avx2::elementwise_table().unary_f64(f.op)(xd.data(), ad.data(), n);
    avx512::elementwise_table().unary_f64(f.op)(xd.data(), bd.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_TRUE(std::isnan(a[i]) || std::memcmp(&a[i], &b[i], 4) == 0) << f.name << " f32 " << x[i];
      ASSERT_TRUE(std::isnan(ad[i]) || std::memcmp(&ad[i], &bd[i], 8) == 0) << f.name << " f64 " << x[i];
    }
  }
}

TEST(VectorMaths, LimitsAreExact) {
  const struct {
    Unary op;
    float x, y;
  } cases[] = {{Unary::exp, -inf, 0},
               {Unary::exp, inf, inf},
               {Unary::exp, 0, 1},
               {Unary::exp, -1000, 0},
               {Unary::exp, 1000, inf},
               {Unary::log, 0, -inf},
               {Unary::log, 1, 0},
               {Unary::log, inf, inf},
               {Unary::log1p, -1, -inf},
               {Unary::log1p, inf, inf},
               {Unary::expm1, -inf, -1},
               {Unary::expm1, inf, inf},
               {Unary::expm1, -1000, -1},
               {Unary::tanh, inf, 1},
               {Unary::tanh, -inf, -1},
               {Unary::sigmoid, inf, 1},
               {Unary::sigmoid, -inf, 0},
               {Unary::sigmoid, 0, 0.5f},
               {Unary::log_sigmoid, inf, 0},
               {Unary::log_sigmoid, -inf, -inf},
               {Unary::log_sigmoid, -1000, -1000},
               {Unary::softplus, 1000, 1000},
               {Unary::softplus, inf, inf},
               {Unary::softplus, -inf, 0},
               {Unary::gelu, inf, inf},
               {Unary::gelu, -inf, 0},
               {Unary::gelu, 0, 0},
               {Unary::gelu, 1000, 1000},
               {Unary::silu, -inf, 0},
               {Unary::silu, inf, inf},
               {Unary::gelu_tanh, -inf, 0},
               {Unary::gelu_tanh, inf, inf},
               {Unary::log1m_exp, -inf, 0},
               {Unary::log1m_exp, 0, -inf},
               {Unary::relu, -inf, 0},
               {Unary::sign, -3, -1},
               {Unary::sign, 0, 0},
               {Unary::round, 2.5f, 2},
               {Unary::round, -3.5f, -4},
               {Unary::floor, -0.5f, -1},
               {Unary::erf, inf, 1},
               {Unary::erf, -inf, -1}};
  for (const auto& [isa, table] : tables())
    for (const auto& c : cases) {
      float y = nan;
      table->unary_f32(c.op)(&c.x, &y, 1);
      EXPECT_EQ(y, c.y) << isa << " operator " << static_cast<int>(c.op) << " at " << c.x;
      const double xd = c.x;
      double yd = nan;
      table->unary_f64(c.op)(&xd, &yd, 1);
      EXPECT_EQ(yd, c.y) << isa << " f64 operator " << static_cast<int>(c.op) << " at " << c.x;
    }
}

TEST(VectorMaths, LogAddExpIsExactAtInfinities) {
  const struct {
    float a, b, y;
  } cases[] = {{inf, 1, inf},    {-inf, -inf, -inf},       {-inf, 3, 3},        {3, -inf, 3},       {inf, inf, inf},
               {inf, -inf, inf}, {1e4f, 1e4f, 10000.693f}, {0, 0, 0.69314718f}, {-1000, 1000, 1000}};
  for (const auto& [isa, table] : tables())
    for (const auto& c : cases) {
      float y = nan;
      table->binary_f32(Binary::log_add_exp, Splat::none)(&c.a, &c.b, &y, 1);
      EXPECT_EQ(y, c.y) << isa << " " << c.a << ", " << c.b;
    }
  const float a[] = {nan, 1}, b[] = {1, nan};
  float y[2];
  for (const auto& [isa, table] : tables())
    for (const Binary op : {Binary::log_add_exp, Binary::maximum, Binary::minimum}) {
      table->binary_f32(op, Splat::none)(a, b, y, 2);
      EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << isa;
    }
}

TEST(VectorMaths, FusedGradientsAreTheSlopes) {
  const struct {
    Binary op;
    std::function<Real(Real)> f;
  } cases[] = {{Binary::gelu_grad, gelu}, {Binary::gelu_tanh_grad, gelu_tanh}, {Binary::silu_grad, [](Real x) {
                                                                                  return x * sigmoid(x);
                                                                                }}};
  for (const auto& [isa, table] : tables())
    for (const auto& c : cases)
      for (double x = -12; x < 12; x += 0.037) {
        const Real h = 1e-5L, slope = (c.f(x + h) - c.f(x - h)) / (2 * h);
        const double g = -1.5;
        double d = nan;
        table->binary_f64(c.op, Splat::none)(&x, &g, &d, 1);
        EXPECT_NEAR(d, static_cast<double>(g * slope), 1e-9) << isa << " " << x;
        const float xf = static_cast<float>(x), gf = -1.5f;
        float df = nan;
        table->binary_f32(c.op, Splat::none)(&xf, &gf, &df, 1);
        EXPECT_NEAR(df, static_cast<double>(g * slope), 1e-6) << isa << " " << x;
      }
}

}  // namespace
}  // namespace plumb::cpu
