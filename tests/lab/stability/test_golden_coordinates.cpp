// Coordinate checks: golden slopes, an interval by hand, a perceptron under several rules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/backward.h"
#include "lab/stability/coordinate_check.h"
#include "models/mlp.h"
#include "optim/optimizer.h"
#include "tests/lab/run_support.h"
#include "tests/support/golden.h"

namespace plumb::lab {
namespace {

using optim::Parametrization;
using testing::HasSubstr;

std::vector<double> logs_of(golden::Case& c, const std::string& input) {
  std::vector<double> out = c.input(input).to(DType::f64).to_vector<double>();
  for (double& x : out) x = std::log2(x);
  return out;
}

TEST(Golden, CoordCheckSlope) {
  golden::for_each("p29_small_scale_proxies", "coord_check_slope", [](golden::Case& c) {
    c.only_says_how("true_slope");
    const double slope = slope_of(logs_of(c, "widths"), logs_of(c, "stats")).value;
    c.expect_loss(slope);
    c.expect("slope", slope);
    c.expect("passes", std::abs(slope) < c.number("tolerance"));
  });
}

// y = 1, 3, 2, 5 over x = 0 .. 3: by hand, slope 1.1 and a residual sum of squares of 2.7.
TEST(Slope, HasTheIntervalOfLeastSquares) {
  const std::vector<double> x{0, 1, 2, 3}, y{1, 3, 2, 5};
  const Slope s = slope_of(x, y);
  EXPECT_NEAR(s.value, 1.1, 1e-12);
  EXPECT_NEAR(s.high - s.value, 4.3026527297 * std::sqrt(2.7 / 2 / 5), 1e-8);
  EXPECT_NEAR(s.value - s.low, s.high - s.value, 1e-12);
  const std::vector<double> two{0, 1}, same{1, 1};
  EXPECT_TRUE(std::isinf(slope_of(two, two).high));
  EXPECT_THAT(test::error_of([&] { slope_of(same, two); }), HasSubstr("two different places"));
}

// The specification's study: 16-w-w-10, four steps of Adam at 0.02 on one batch of classes.
Observations observe_perceptron(Parametrization p, std::int64_t width, std::int64_t seed) {
  models::Mlp model({.widths = {16, width, width, 10}, .scaling = {.parametrization = p, .base_width = 64}});
  const Key key(static_cast<std::uint64_t>(seed));
  nn::Arena arena(model, key.at("init"));
  optim::Optimizer optimizer(arena, {.betas = {0.9, 0.999}, .clip_norm = 0});
  const Var x(key.at("x").normal({64, 16}));
  std::vector<std::int64_t> classes;
  for (std::uint64_t i = 0; i < 64; ++i) classes.push_back(static_cast<std::int64_t>(key.at("y").below(10, i)));
  Observations out;
  for (int step = 0; step < 4; ++step) {
    const auto parts = model.activations(x);
    out.emplace_back();
    for (const auto& [name, value] : {std::pair{"hidden 1", parts[0]}, {"hidden 2", parts[1]}, {"output", parts[2]}})
      out.back().push_back({name, mean(abs(value)).item()});
    arena.zero_grads();
    backward(mean(log_sum_exp(parts[2], -1) - gather(parts[2], Tensor::from(classes, {64, 1}), -1)));
    arena.finish_grads();
    optimizer.step(0.02, 0.02);
  }
  return out;
}

std::vector<PartGrowth> perceptron(Parametrization p) {
  return check_coordinates({.widths = {64, 128, 256, 512}},
                           [p](std::int64_t width, std::int64_t seed) { return observe_perceptron(p, width, seed); });
}

// Identity 8, and the figures measured beside it.
TEST(CoordinateCheck, APerceptronGrowsInTheStandardRuleAndNotUnderMup) {
  const auto sp = perceptron(Parametrization::sp);
  EXPECT_NEAR(sp[0].slopes[1].value, 0, 0.1);
  EXPECT_GT(sp[1].slopes[1].value, 0.5);
  EXPECT_GT(sp[2].slopes[1].value, 1.2);
  EXPECT_EQ(sp[2].verdict, Growth::grows);
  const auto simple = perceptron(Parametrization::mup_simple);
  EXPECT_NEAR(simple[1].slopes[1].value, 0.06, 0.1);
  EXPECT_NEAR(simple[2].slopes[1].value, 0.36, 0.15);
  EXPECT_EQ(simple[2].verdict, Growth::grows);  // the head begins too large
  for (const Parametrization p : {Parametrization::mup_table3, Parametrization::mup_table8}) {
    const auto mup = perceptron(p);
    EXPECT_NEAR(mup[2].slopes[0].value, -0.5, 0.1);  // of the initial values alone
    for (const auto& part : mup) {
      for (std::size_t step = 1; step < 4; ++step) EXPECT_NEAR(part.slopes[step].value, 0, 0.1) << part.part << step;
      EXPECT_EQ(part.verdict, Growth::flat) << part.part;
    }
  }
}

}  // namespace
}  // namespace plumb::lab
