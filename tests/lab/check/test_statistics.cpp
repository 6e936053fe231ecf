// The statistics behind `plumb check random`: published quantiles, and samples that must not pass.
#include <gtest/gtest.h>

#include "lab/check/numbers/laws.h"
#include "lab/check/numbers/statistics.h"
#include "lab/check/numbers/ulps.h"

namespace plumb::lab {
namespace {

TEST(Statistics, TailsHaveThePublishedQuantiles) {
  EXPECT_NEAR(chi_square_tail(3.8414588207, 1), 0.05, 1e-9);
  EXPECT_NEAR(chi_square_tail(18.307038053, 10), 0.05, 1e-9);
  EXPECT_NEAR(chi_square_tail(2.1558564812, 10), 0.995, 1e-9);
  EXPECT_NEAR(chi_square_tail(1074.679, 1000), 0.05, 1e-5);
  EXPECT_NEAR(kolmogorov_tail(1.3580986), 0.05, 1e-6);
  EXPECT_NEAR(kolmogorov_tail(0.8275736), 0.5, 1e-6);
  EXPECT_NEAR(kolmogorov_tail(0.9999999), kolmogorov_tail(1.0000001), 1e-6);
  EXPECT_NEAR(anderson_darling_tail(2.492367), 0.05, 1e-5);
  EXPECT_NEAR(anderson_darling_tail(3.878125), 0.01, 1e-5);
  EXPECT_NEAR(anderson_darling_tail(1.9999999), anderson_darling_tail(2.0000001), 1e-4);
}

Histogram even(std::size_t bins, std::uint64_t each) {
  return {std::vector<std::uint64_t>(bins, each), std::vector<double>(bins, 1 / static_cast<double>(bins))};
}

TEST(Statistics, ATiltOfOnePercentDoesNotPass) {
  Histogram h = even(1000, 1000);
  for (std::size_t i = 0; i < 1000; ++i) h.counts[i] += i < 500 ? 10 : -10;
  EXPECT_LT(kolmogorov_smirnov_p(h), 1e-4);
  EXPECT_LT(anderson_darling_p(h), 1e-4);
  for (std::size_t i = 0; i < 1000; ++i) h.counts[i] = i % 2 ? 900 : 1100;  // of no tilt, but too uneven
  EXPECT_LT(chi_square_p(h), 1e-4);
}

TEST(Statistics, ASampleThatIsTooEvenDoesNotPass) {
  const Histogram h = even(1000, 1000);
  EXPECT_GT(chi_square_p(h), 1 - 1e-4);
  EXPECT_GT(kolmogorov_smirnov_p(h), 1 - 1e-4);
  EXPECT_GT(anderson_darling_p(h), 1 - 1e-4);
}

TEST(Statistics, WhatCannotBeDoesNotPass) {
  Histogram h{{500, 501, 1}, {0.5, 0.5, 0}};
  EXPECT_EQ(chi_square_p(h), 0);
}

TEST(Laws, TheDrawsOfAnotherLawDoNotPass) {
  for (const Law& law : laws())
    for (const Law& other : laws()) {
      if (other.distribution == law.distribution) continue;
      Law wrong = law;
      wrong.below = other.below;
      EXPECT_LT(kolmogorov_smirnov_p(histogram_of(wrong, Key(3), 100000)), 1e-4) << law.name << " as " << other.name;
    }
}

TEST(Laws, AShiftOrAScaleOfThreeInAThousandDoesNotPass) {
  for (const Law& law : laws()) {
    if (law.dtype != DType::f32) continue;
    const Histogram h = histogram_of(law, Key(3), 4'000'000);
    const double shifted =
        shift_p({h.counts, h.shifted, h.expected, {}});  // were they the law, honest draws would be off
    const double scaled = scale_p({h.counts, h.scaled, {}, h.expected});
    EXPECT_LT(std::min(shifted, 1 - shifted), 1e-4) << law.name;
    EXPECT_LT(std::min(scaled, 1 - scaled), 1e-4) << law.name;
    EXPECT_GT(shift_p(h), 1e-3) << law.name;
    EXPECT_GT(scale_p(h), 1e-3) << law.name;
  }
}

TEST(Ulps, AreThoseOfTheExactResult) {
  EXPECT_EQ(ulps(1.0f, 1.0L), 0);
  EXPECT_EQ(ulps(std::nextafter(1.0f, 2.0f), 1.0L), 1);
  EXPECT_EQ(ulps(1.0f, 1 + 0x1p-24L), 0.5);
  EXPECT_EQ(ulps(0.0f, 0x1p-149L), 1);  // denormals have the spacing of the smallest
  EXPECT_EQ(ulps(std::nextafter(8.0, 9.0), 8.0L), 1);
  EXPECT_EQ(ulps(0.0, 0x1p-1074L), 1);
}

TEST(Ulps, InfinityIsTheNumberAfterTheLargest) {
  constexpr float infinity = std::numeric_limits<float>::infinity(), largest = std::numeric_limits<float>::max();
  EXPECT_EQ(ulps(infinity, static_cast<long double>(largest)), 1);
  EXPECT_EQ(ulps(largest, 1e40L), 1);
  EXPECT_EQ(ulps(infinity, 1e40L), 0);
  EXPECT_EQ(ulps(-infinity, HUGE_VALL), HUGE_VAL);
  EXPECT_EQ(ulps(std::nanf(""), 1.0L), HUGE_VAL);
  EXPECT_EQ(ulps(1.0f, std::nanl("")), HUGE_VAL);
  EXPECT_EQ(ulps(std::nanf(""), std::nanl("")), 0);
}

}  // namespace
}  // namespace plumb::lab
