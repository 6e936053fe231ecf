// LayerNorm and RMSNorm against plain loops, and the promises about their bits.
#include "core/cpu/norm_table.h"
#include "tests/core/rows_support.h"

namespace plumb::testing {
namespace {

template <class T>
struct Norms : Floats<T> {};
TYPED_TEST_SUITE(Norms, FloatTypes);

// Operands and results of one call; every run has its own gain and bias.
template <class T>
struct Case {
  kernels::Rows rows;
  std::int64_t n;
  bool center, with_bias;
  std::vector<T> x, gain, bias, dy, y, mean, rstd, dx, dgain, dbias;

  Case(kernels::Rows r, std::int64_t width, bool centred) : rows(r), n(width), center(centred), with_bias(centred) {
    const std::int64_t all = r.runs * r.examples * r.rows;
    x = random_values<T>(all * n, 1, 2), dy = random_values<T>(all * n, 2);
    gain = random_values<T>(r.runs * n, 3), bias = random_values<T>(r.runs * n, 4);
    for (auto& v : x) v += static_cast<T>(0.5);
    y.resize(x.size()), dx.resize(x.size()), mean.resize(all), rstd.resize(all);
    dgain = random_values<T>(r.runs * n, 5), dbias = random_values<T>(r.runs * n, 6);
  }
  kernels::Norm forward() {
    return {.rows = rows,
            .n = n,
            .center = center,
            .eps = 1e-3,
            .gain_offset = 0.25,
            .dtype = dtype_of<T>,
            .x = x.data(),
            .gain = gain.data(),
            .bias = with_bias ? bias.data() : nullptr,
            .y = y.data(),
            .mean = mean.data(),
            .rstd = rstd.data()};
  }
  void run() {
    backend(Device{}).norm(forward());
    backend(Device{}).norm_grad({.forward = forward(),
                                 .dy = dy.data(),
                                 .dx = dx.data(),
                                 .dgain = dgain.data(),
                                 .dbias = with_bias ? dbias.data() : nullptr});
  }
};

// The plain loops, in double; parameter gradients start from what `c` holds.
template <class T>
struct Reference {
  std::vector<double> y, dx, dgain, dbias;
  explicit Reference(const Case<T>& c)
      : y(c.x.size()), dx(c.x.size()), dgain(c.dgain.begin(), c.dgain.end()), dbias(c.dbias.begin(), c.dbias.end()) {
    const std::int64_t n = c.n, per_run = c.rows.examples * c.rows.rows;
    for (std::int64_t row = 0; row < per_run * c.rows.runs; ++row) {
      const T *x = &c.x[row * n], *dy = &c.dy[row * n], *gain = &c.gain[row / per_run * n],
              *bias = &c.bias[row / per_run * n];
      double mean = 0, variance = 0, along = 0, across = 0;
      for (int i = 0; c.center && i < n; ++i) mean += x[i] / static_cast<double>(n);
      for (int i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(n);
      const double rstd = 1 / std::sqrt(variance + 1e-3);
      for (int i = 0; i < n; ++i) {
        const double hat = (x[i] - mean) * rstd, g = dy[i] * (gain[i] + 0.25);
        y[row * n + i] = hat * (gain[i] + 0.25) + (c.with_bias ? bias[i] : 0);
        along += g * hat / static_cast<double>(n);
        across += c.center ? g / static_cast<double>(n) : 0;
        dgain[row / per_run * n + i] += dy[i] * hat;
        dbias[row / per_run * n + i] += c.with_bias ? dy[i] : 0;
      }
      for (int i = 0; i < n; ++i)
        dx[row * n + i] = rstd * (dy[i] * (gain[i] + 0.25) - across - (x[i] - mean) * rstd * along);
    }
  }
};

TYPED_TEST(Norms, EqualThePlainLoops) {
  using T = TypeParam;
  for (const bool center : {false, true})
    for (const std::int64_t n : {1, 3, 8, 16, 17, 33, 48, 65, 256}) {
      Case<T> c({.runs = 2, .examples = 3, .rows = 5}, n, center);
      const Reference<T> expected(c);
      c.run();
      expect_close(c.y, expected.y);
      expect_close(c.dx, expected.dx, 20 * tolerance<T>);
      expect_close(c.dgain, expected.dgain);
      expect_close(c.dbias, expected.dbias);
    }
}

TYPED_TEST(Norms, EqualThePlainLoopsOnEveryInstructionSet) {
  using T = TypeParam;
  for (const auto* t : tables(cpu::baseline::norm_table(), cpu::avx2::norm_table(), cpu::avx512::norm_table())) {
    Case<T> c({.runs = 1, .examples = 1, .rows = 4}, 45, true);
    const Reference<T> expected(c);
    const cpu::NormRows<T> rows{.rows = 4,
                                .n = 45,
                                .center = true,
                                .eps = static_cast<T>(1e-3),
                                .gain_offset = static_cast<T>(0.25),
                                .x = c.x.data(),
                                .gain = c.gain.data(),
                                .bias = c.bias.data(),
                                .y = c.y.data(),
                                .mean = c.mean.data(),
                                .rstd = c.rstd.data()};
    t->rows(T{})(rows);
    t->grad(T{})(
        {.forward = rows, .dy = c.dy.data(), .dx = c.dx.data(), .dgain = c.dgain.data(), .dbias = c.dbias.data()});
    expect_close(c.y, expected.y);
    expect_close(c.dx, expected.dx, 20 * tolerance<T>);
    expect_close(c.dgain, expected.dgain);
  }
}

TYPED_TEST(Norms, DoNotDependOnThreads) {
  expect_same_for_all_threads([] {
    Case<TypeParam> c({.runs = 2, .examples = 13, .rows = 40}, 50, true);
    c.run();
    return std::vector{c.y, c.dx, c.dgain, c.dbias, c.mean, c.rstd};
  });
}

TYPED_TEST(Norms, AddEightExamplesAsFourAndFourAndAsEightSingles) {
  using T = TypeParam;
  Case<T> whole({.examples = 8, .rows = 7}, 40, true);
  Case<T> cut = whole;
  whole.run();
  for (const std::int64_t piece : {4, 1}) {
    auto dgain = cut.dgain, dbias = cut.dbias;
    for (std::int64_t e = 0; e < 8; e += piece) {
      Case<T> some({.examples = piece, .rows = 7}, 40, true);
      some.x = part(cut.x, e * 280, piece * 280), some.dy = part(cut.dy, e * 280, piece * 280);
      some.dgain = dgain, some.dbias = dbias;
      some.run();
      EXPECT_TRUE(some.y == part(whole.y, e * 280, piece * 280) && some.dx == part(whole.dx, e * 280, piece * 280));
      dgain = some.dgain, dbias = some.dbias;
    }
    EXPECT_TRUE(dgain == whole.dgain && dbias == whole.dbias) << piece << " at a time";
  }
}

TYPED_TEST(Norms, IgnoreRowsOfPaddingInParameterGradients) {
  using T = TypeParam;
  Case<T> true_rows({.examples = 3, .rows = 5}, 24, false), padded({.examples = 3, .rows = 9}, 24, false);
  std::fill(padded.dy.begin(), padded.dy.end(), T{0});
  for (int e = 0; e < 3; ++e) {
    std::copy_n(true_rows.x.begin() + e * 120, 120, padded.x.begin() + e * 216);
    std::copy_n(true_rows.dy.begin() + e * 120, 120, padded.dy.begin() + e * 216);
  }
  true_rows.run();
  padded.run();
  EXPECT_TRUE(padded.dgain == true_rows.dgain);
  EXPECT_TRUE(part(padded.y, 216, 120) == part(true_rows.y, 120, 120));
}

TYPED_TEST(Norms, GiveNanForARowWhoseSquaresOverflow) {
  using T = TypeParam;
  const T large = std::sqrt(std::numeric_limits<T>::max());
  for (const bool center : {true, false}) {
    std::vector<T> x{1, 2, large, -large}, y(4);
    backend(Device{}).norm(
        {.rows = {.rows = 2}, .n = 2, .center = center, .dtype = dtype_of<T>, .x = x.data(), .y = y.data()});
    EXPECT_FALSE(std::isnan(y[0]) || std::isnan(y[1]));
    EXPECT_TRUE(std::isnan(y[2]) && std::isnan(y[3]));
  }
}

TEST(NormShapes, MayBeEmptyAndMayLackEverythingOptional) {
  backend(Device{}).norm({.rows = {.examples = 0}, .n = 4});
  std::vector<float> x{3, 4}, y(2);
  backend(Device{}).norm({.rows = {}, .n = 2, .center = false, .eps = 0, .x = x.data(), .y = y.data()});
  EXPECT_FLOAT_EQ(y[0], 3 / std::sqrt(12.5f));
}

}  // namespace
}  // namespace plumb::testing
