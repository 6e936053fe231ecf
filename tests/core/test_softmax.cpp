// Softmax and log-softmax against plain sums, and the promises about their bits.
#include <limits>

#include "core/cpu/softmax_table.h"
#include "tests/core/rows_support.h"

namespace plumb::testing {
namespace {

template <class T>
struct Softmax : Floats<T> {};
TYPED_TEST_SUITE(Softmax, FloatTypes);

template <class T>
std::vector<double> reference(const std::vector<T>& x, std::int64_t n, bool log) {
  std::vector<double> y(x.size());
  for (std::size_t row = 0; row < x.size(); row += static_cast<std::size_t>(n)) {
    double total = 0, top = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < n; ++i) top = std::max<double>(top, x[row + i]);
    for (std::int64_t i = 0; i < n; ++i) total += std::exp(x[row + i] - top);
    for (std::int64_t i = 0; i < n; ++i)
      y[row + i] = log ? x[row + i] - top - std::log(total) : std::exp(x[row + i] - top) / total;
  }
  return y;
}

template <class T>
std::vector<double> reference_grad(const std::vector<T>& y, const std::vector<T>& g, std::int64_t n, bool log) {
  std::vector<double> dx(y.size());
  for (std::size_t row = 0; row < y.size(); row += static_cast<std::size_t>(n)) {
    double total = 0;
    for (std::int64_t i = 0; i < n; ++i) total += log ? g[row + i] : 1.0 * g[row + i] * y[row + i];
    for (std::int64_t i = 0; i < n; ++i)
      dx[row + i] = log ? g[row + i] - std::exp(y[row + i]) * total : y[row + i] * (g[row + i] - total);
  }
  return dx;
}

TYPED_TEST(Softmax, EqualsThePlainSumsOnEveryInstructionSet) {
  using T = TypeParam;
  for (const auto* t : tables(cpu::baseline::softmax_table(), cpu::avx2::softmax_table(), cpu::avx512::softmax_table()))
    for (const std::int64_t n : {1, 2, 5, 8, 15, 16, 17, 31, 33, 100, 257})
      for (const bool log : {false, true}) {
        const auto x = random_values<T>(n, 7, 6), g = random_values<T>(n, 8);
        std::vector<T> y(x.size()), dx(x.size());
        t->row(T{})(x.data(), y.data(), n, log);
        expect_close(y, reference(x, n, log));
        t->grad(T{})(y.data(), g.data(), dx.data(), n, log);
        expect_close(dx, reference_grad(y, g, n, log), 10 * tolerance<T>);
      }
}

TYPED_TEST(Softmax, TakesAnyStridesAndMayRunInPlace) {
  using T = TypeParam;
  auto x = random_values<T>(5 * 3 * 20, 1);
  std::vector<T> y(5 * 3 * 7), transposed(x.size());
  const Strides cut{60, 20, 1};
  backend(Device{}).softmax(window(x, {5, 3, 7}, 4, &cut), false, window(y, {5, 3, 7}));
  std::vector<T> plain;
  for (int r = 0; r < 15; ++r)
    for (int i = 0; i < 7; ++i) plain.push_back(x[r * 20 + 4 + i]);
  expect_close(y, reference(plain, 7, false));

  const Strides columns{1, 15};
  auto in_place = x;
  backend(Device{}).softmax(window(x, {15, 20}, 0, &columns), true, window(in_place, {15, 20}, 0, &columns));
  backend(Device{}).softmax(window(x, {15, 20}, 0, &columns), true, window(transposed, {15, 20}));
  for (int r = 0; r < 15; ++r)
    for (int i = 0; i < 20; ++i) ASSERT_EQ(in_place[i * 15 + r], transposed[r * 20 + i]);
  auto same = plain;
  backend(Device{}).softmax(window(same, {15, 7}), false, window(same, {15, 7}));
  EXPECT_TRUE(same == y);
}

TYPED_TEST(Softmax, IsUnchangedByMaskedEntriesNeighboursAndThreads) {
  using T = TypeParam;
  const std::int64_t rows = 301, n = 77, wide = 130;
  auto x = random_values<T>(rows * n, 3, 4);
  std::vector<T> padded(rows * wide, -std::numeric_limits<T>::infinity()), y(x.size()), y_wide(padded.size()), alone(n);
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(x.begin() + r * n, n, padded.begin() + r * wide);
  auto& cpu = backend(Device{});
  expect_same_for_all_threads([&] {
    cpu.softmax(window(x, {rows, n}), false, window(y, {rows, n}));
    return y;
  });
  cpu.softmax(window(padded, {rows, wide}), false, window(y_wide, {rows, wide}));
  for (std::int64_t r = 0; r < rows; ++r) {
    cpu.softmax(window(x, {1, n}, r * n), false, window(alone, {1, n}));
    ASSERT_TRUE(part(y, r * n, n) == alone && part(y_wide, r * wide, n) == alone) << "row " << r;
    ASSERT_EQ(y_wide[r * wide + n], 0);
  }
}

TEST(SoftmaxBf16, RoundsTheFloatResultOnce) {
  const auto values = random_values<float>(6 * 19, 5, 3);
  std::vector<Bf16> x, y(6 * 19);
  std::vector<float> wide, expected(6 * 19);
  for (const float v : values) {
    x.push_back(Bf16(v));
    wide.push_back(static_cast<float>(x.back()));
  }
  backend(Device{}).softmax(window(x, {6, 19}), false, window(y, {6, 19}));
  backend(Device{}).softmax(window(wide, {6, 19}), false, window(expected, {6, 19}));
  for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i].bits, Bf16(expected[i]).bits);
}

TEST(SoftmaxShapes, MayBeEmpty) {
  std::vector<float> none(1, 5);
  backend(Device{}).softmax(window(none, {0, 4}), false, window(none, {0, 4}));
  backend(Device{}).softmax(window(none, {4, 0}), false, window(none, {4, 0}));
  EXPECT_EQ(none[0], 5);
}

}  // namespace
}  // namespace plumb::testing
