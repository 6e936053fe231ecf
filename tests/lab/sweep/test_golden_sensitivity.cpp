// Sensitivity to the learning rate: reference values and identities.
#include <gtest/gtest.h>

#include <cmath>

#include "core/errors.h"
#include "lab/sweep/sensitivity.h"
#include "tests/support/golden.h"

namespace plumb::lab {
namespace {

TEST(Sensitivity, Golden) {
  golden::for_each("p29_small_scale_proxies", "lr_sensitivity", [](golden::Case& c) {
    const auto lrs = c.input("lrs").to_vector<double>(), losses = c.input("losses").to_vector<double>();
    const Sensitivity s = lr_sensitivity(lrs, losses, c.input("init_loss").to(DType::f64).to_vector<double>()[0],
                                         c.number("lr_min") * (1 - 1e-6), c.number("lr_max") * (1 + 1e-6));
    c.expect_loss(s.value);
    c.expect("best_loss", s.best_loss);
    c.expect("best_lr", s.best_lr);
    c.expect("high_side_sensitivity", s.high_side);
    c.expect("diverged", static_cast<double>(s.diverged));
  });
}

TEST(Sensitivity, DoesNotSeeTheLevelOfTheLossOrTheOrderOfTheGrid) {
  const std::vector<double> lrs{1e-3, 1e-2, 1e-1}, losses{3.5, 2.25, 7}, higher{13.5, 12.25, 17};
  const Sensitivity a = lr_sensitivity(lrs, losses, 6), b = lr_sensitivity(lrs, higher, 16);
  EXPECT_DOUBLE_EQ(a.value, (1.25 + 0 + 3.75) / 3);
  EXPECT_DOUBLE_EQ(a.value, b.value);
  EXPECT_DOUBLE_EQ(a.high_side, 3.75 / 2);
  const std::vector<double> back_lrs{1e-1, 1e-2, 1e-3}, back_losses{7, 2.25, 3.5};
  EXPECT_EQ(lr_sensitivity(back_lrs, back_losses, 6).value, a.value);
}

TEST(Sensitivity, AModelThatNeverLearnsHasNone) {
  const std::vector<double> lrs{1e-3, 1e-2}, losses{NAN, 9};
  const Sensitivity s = lr_sensitivity(lrs, losses, 6);
  EXPECT_EQ(s.value, 0);
  EXPECT_EQ(s.best_loss, 6);
  EXPECT_EQ(s.diverged, 2);
}

TEST(Sensitivity, NeedsTwoRatesAndAnInitialLoss) {
  const std::vector<double> lrs{1e-3, 1e-2}, losses{2, 3}, one{2};
  EXPECT_THROW(lr_sensitivity(lrs, one, 6), UserError);
  EXPECT_THROW(lr_sensitivity(lrs, losses, 6, 5e-3), UserError);
  EXPECT_THROW(lr_sensitivity(lrs, losses, NAN), UserError);
}

}  // namespace
}  // namespace plumb::lab
