// Rotary embedding against cosines and sines, its inverse, and its strides.
#include "core/cpu/rope_table.h"
#include "tests/core/rows_support.h"

namespace plumb::testing {
namespace {

template <class T>
struct Rope : Floats<T> {};
TYPED_TEST_SUITE(Rope, FloatTypes);

TYPED_TEST(Rope, TurnsPairsByPositionAndKeepsTheRest) {
  using T = TypeParam;
  const std::int64_t batch = 2, length = 5, heads = 3, d = 43, rotary = 38;
  auto x = random_values<T>(batch * length * heads * d, 1);
  std::vector<T> y(x.size());
  const std::int64_t start[] = {300, 0};
  backend(Device{}).rope({.x = window(x, {batch, length, heads, d}),
                          .out = window(y, {batch, length, heads, d}),
                          .base = 1e4,
                          .rotary = rotary,
                          .start = start});
  std::vector<double> expected(x.begin(), x.end());
  for (std::int64_t row = 0; row < batch * length * heads; ++row) {
    const double position = static_cast<double>(start[row / (length * heads)] + row / heads % length);
    for (std::int64_t i = 0; i < rotary / 2; ++i) {
      const double angle = position * std::pow(1e4, -2.0 * static_cast<double>(i) / rotary);
      const double a = x[row * d + i], b = x[row * d + rotary / 2 + i];
      expected[row * d + i] = a * std::cos(angle) - b * std::sin(angle);
      expected[row * d + rotary / 2 + i] = a * std::sin(angle) + b * std::cos(angle);
    }
  }
  expect_close(y, expected, sizeof(T) == 8 ? 1e-12 : 1e-6);
}

TYPED_TEST(Rope, IsUndoneByItsInverseInPlaceOnASliceOfAFusedTensor) {
  using T = TypeParam;
  const Shape shape{2, 6, 2, 16};
  const Strides strides{6 * 96, 96, 16, 1};
  const auto x = random_values<T>(2 * 6 * 96, 2);
  auto turned = x;
  auto& cpu = backend(Device{});
  cpu.rope({.x = window(turned, shape, 32, &strides), .out = window(turned, shape, 32, &strides), .rotary = 16});
  auto copy = x;
  std::vector<T> apart(2 * 6 * 32);
  cpu.rope({.x = window(copy, shape, 32, &strides), .out = window(apart, shape), .rotary = 16});
  for (std::int64_t row = 0; row < 12; ++row) {
    EXPECT_TRUE(part(turned, row * 96, 32) == part(x, row * 96, 32));  // the neighbours in the slice
    EXPECT_TRUE(part(turned, row * 96 + 32, 32) == part(apart, row * 32, 32));
  }
  cpu.rope({.x = window(turned, shape, 32, &strides),
            .out = window(turned, shape, 32, &strides),
            .rotary = 16,
            .inverse = true});
  expect_close(turned, std::vector<double>(x.begin(), x.end()), 1e-6);
}

TYPED_TEST(Rope, GivesOnePositionTheSameBitsAloneAndInASequence) {
  using T = TypeParam;
  auto x = random_values<T>(200 * 2 * 24, 3);
  std::vector<T> all(x.size()), one(48);
  auto& cpu = backend(Device{});
  expect_same_for_all_threads([&] {
    cpu.rope({.x = window(x, {1, 200, 2, 24}), .out = window(all, {1, 200, 2, 24}), .rotary = 24});
    return all;
  });
  for (const std::int64_t t : {0, 1, 150, 199}) {
    cpu.rope({.x = window(x, {1, 1, 2, 24}, t * 48), .out = window(one, {1, 1, 2, 24}), .rotary = 24, .start = &t});
    EXPECT_TRUE(one == part(all, t * 48, 48));
  }
}

TYPED_TEST(Rope, HasTheSameBitsOnEveryInstructionSet) {
  using T = TypeParam;
  const auto x = random_values<T>(90, 4), c = random_values<T>(20, 5), s = random_values<T>(20, 6);
  std::vector<std::vector<T>> results;
  for (const auto* t : tables(cpu::baseline::rope_table(), cpu::avx2::rope_table(), cpu::avx512::rope_table())) {
    std::vector<T> y(90);
    t->heads(T{})({.x = x.data(),
                   .out = y.data(),
                   .heads = 2,
                   .x_stride = 45,
                   .out_stride = 45,
                   .half = 20,
                   .d = 45,
                   .cosine = c.data(),
                   .sine = s.data()});
    results.push_back(y);
  }
  for (const auto& r : results) EXPECT_TRUE(r == results[0]);
}

}  // namespace
}  // namespace plumb::testing
