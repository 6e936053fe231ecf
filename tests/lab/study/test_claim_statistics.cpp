// The statistics that claims are judged by: published values, and what they must not accept.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/errors.h"
#include "lab/study/statistics.h"

namespace plumb::lab {
namespace {

TEST(PairedT, HasThePublishedQuantiles) {
  // Differences with mean 1 and standard error 1 / t: p of t = 2.015048 at 5 degrees of freedom is 0.05.
  const std::vector<double> zero(6, 0.0);
  std::vector<double> a{-1, 1, -1, 1, -1, 1};
  const double error = std::sqrt(6.0 / 5 / 6), wanted = 2.0150483733;
  for (double& x : a) x += wanted * error;
  const PairedTest t = paired_t(a, zero);
  EXPECT_NEAR(t.t, wanted, 1e-9);
  EXPECT_NEAR(t.p, 0.05, 1e-9);
  EXPECT_EQ(t.n, 6);
  EXPECT_NEAR(paired_t(zero, a).p, 0.95, 1e-9);
  EXPECT_NEAR(paired_t(a, zero, t.mean).p, 0.5, 1e-12);
}

TEST(PairedT, CountsWinsAndKnowsDifferencesWithoutSpread) {
  const std::vector<double> a{2, 3, 4}, b{1, 2, 3}, c{2, 2, 5};
  EXPECT_EQ(paired_t(a, b).p, 0);
  EXPECT_EQ(paired_t(b, a).p, 1);
  EXPECT_EQ(paired_t(a, a).p, 1);
  EXPECT_EQ(paired_t(a, c).wins, 1);
  EXPECT_EQ(paired_t(a, b).wins, 3);
}

TEST(PairedT, RefusesWhatIsNoPair) {
  const std::vector<double> one{1}, two{1, 2}, bad{1, NAN};
  EXPECT_THROW(paired_t(one, one), UserError);
  EXPECT_THROW(paired_t(one, two), UserError);
  EXPECT_THROW(paired_t(two, bad), UserError);
}

TEST(Bootstrap, HoldsTheMeanAndNarrowsWithMoreValues) {
  std::vector<double> few, many;
  for (int i = 0; i < 400; ++i) (i < 8 ? few : many).push_back(i % 2 ? 1 : -1);
  const Interval a = bootstrap_mean(few, 3), b = bootstrap_mean(many, 3);
  EXPECT_EQ(a.mean, 0);
  EXPECT_LT(a.low, -0.3);
  EXPECT_GT(a.high, 0.3);
  EXPECT_NEAR(b.high, 1.96 / std::sqrt(392.0), 0.02);
  EXPECT_NEAR(b.low, -1.96 / std::sqrt(392.0), 0.02);
  EXPECT_EQ(bootstrap_mean(few, 3).low, a.low);
  const std::vector<double> one{4.5};
  EXPECT_EQ(bootstrap_mean(one).low, 4.5);
  EXPECT_THROW(bootstrap_mean({}), UserError);
}

}  // namespace
}  // namespace plumb::lab
