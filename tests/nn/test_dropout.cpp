// Dropout: how much it drops, that its mask is its key's, and that values and gradients share it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/backward.h"
#include "nn/layers.h"
#include "tests/files_support.h"

namespace plumb::nn {
namespace {

TEST(Dropout, DropsItsShareAndScalesTheRest) {
  constexpr std::int64_t n = 200000;
  for (const double p : {0.1, 0.5, 0.9}) {
    const auto y = dropout(Tensor::full({n}, 3, DType::f64), p, Key(7)).value().to_vector<double>();
    const auto zeros = std::count(y.begin(), y.end(), 0.0);
    EXPECT_NEAR(static_cast<double>(zeros), p * n, 4.5 * std::sqrt(p * (1 - p) * n)) << p;
    for (const double v : y) ASSERT_TRUE(v == 0 || v == 3 * (1 / (1 - p))) << v;
  }
}

TEST(Dropout, NeighboursAreDroppedIndependently) {
  constexpr std::size_t n = 100000;
  const auto y = dropout(Tensor::full({n}, 1), 0.5, Key(7)).value().to_vector<float>();
  int both = 0;
  for (std::size_t i = 0; i + 1 < n; ++i) both += y[i] == 0 && y[i + 1] == 0;
  EXPECT_NEAR(both, n / 4.0, 4.5 * std::sqrt(n * 0.25 * 0.75 * 2));  // twice the variance: pairs overlap
}

TEST(Dropout, IsAFunctionOfItsKey) {
  const Tensor x = Key(1).normal({40, 50});
  const Tensor y = dropout(x, 0.3, Key(5)).value();
  EXPECT_TRUE(same_bits(y, dropout(x, 0.3, Key(5)).value()));
  EXPECT_FALSE(same_bits(y, dropout(x, 0.3, Key(6)).value()));
  EXPECT_TRUE(same_bits(x, dropout(x, 0, Key(5)).value()));
}

TEST(Dropout, TheGradientGoesWhereTheValuesWent) {
  const Var x = Var::leaf(Tensor::full({1000}, 1));
  const Var y = dropout(x, 0.4, Key(5));
  backward({{y, Tensor::full({1000}, 1)}});
  EXPECT_TRUE(same_bits(x.grad(), y.value()));  // of ones, so the same numbers
}

TEST(Dropout, WhatIsDroppedMayBeNotFinite) {
  const Var x = Var::leaf(Tensor::full({100}, INFINITY));
  for (const float v : dropout(x, 0.5, Key(5)).value().to_vector<float>()) EXPECT_TRUE(v == 0 || v == INFINITY);
}

TEST(Dropout, RefusesWhatIsNoProbability) {
  for (const double p : {-0.1, 1.0, 2.0, std::nan("")})
    EXPECT_THAT(test::error_of([&] { dropout(Tensor::zeros({2}), p, Key(1)); }), testing::HasSubstr("[0, 1)")) << p;
}

}  // namespace
}  // namespace plumb::nn
