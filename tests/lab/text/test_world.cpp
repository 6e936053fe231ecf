// The copy language: exact probabilities, a floor where the study says, rows that depend on nothing but their name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/errors.h"
#include "core/exact_math.h"
#include "core/parallel.h"
#include "lab/worlds/copy_language.h"

namespace plumb::worlds {
namespace {

TEST(CopyLanguage, ConditionalProbabilitiesSumToOne) {
  const CopyLanguage language({}, 1);
  const auto tokens = language.validation(4, 31).to_vector<std::int64_t>();
  for (std::size_t n = 0; n < 32; ++n) {
    const auto p = language.conditional(std::span(tokens).subspan(32, n));
    ASSERT_EQ(p.size(), 128u);
    EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1e-13);
    for (const double x : p) EXPECT_GT(x, 0);
  }
}

TEST(CopyLanguage, LogProbabilitiesAreThoseOfTheConditional) {
  const CopyLanguage language({.vocab = 16, .length = 12}, 1);
  const Tensor tokens = language.validation(3, 11);
  const auto x = tokens.to_vector<std::int64_t>();
  const auto logps = language.log_probabilities(tokens).to_vector<double>();
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t t = 1; t < 12; ++t) {
      const auto p = language.conditional(std::span(x).subspan(r * 12, t));
      EXPECT_EQ(logps[r * 11 + t - 1], exact::log(p[static_cast<std::size_t>(x[r * 12 + t])]));
    }
}

// Over tables drawn at random the floor lies between 1.1 and 2.3 nats (an independent program: 1.16 to 2.22 in 16 tables).
TEST(CopyLanguage, TheEntropyFloorIsThatOfALanguage) {
  for (const std::int64_t seed : {0, 1, 2}) {
    const CopyLanguage language({.seed = seed}, 7);
    const double floor = *language.entropy_floor(language.validation(512, 31));
    EXPECT_GT(floor, 1.0) << seed;
    EXPECT_LT(floor, 2.4) << seed;
  }
}

TEST(CopyLanguage, TheDefaultLanguageHasTheFloorOfTheStudy) {
  const CopyLanguage language({}, 7);
  EXPECT_NEAR(*language.entropy_floor(language.validation(2048, 31)), 2.274, 0.04);
}

TEST(CopyLanguage, TheFloorIsTheMeanEntropyOfTheConditional) {
  const CopyLanguage language({.vocab = 32}, 7);
  const Tensor tokens = language.sample(Key(5), 800, 31);
  const auto x = tokens.to_vector<std::int64_t>();
  double entropy = 0;
  for (std::size_t r = 0; r < 800; ++r)
    for (std::size_t t = 1; t < 32; ++t)
      for (const double p : language.conditional(std::span(x).subspan(r * 32, t))) entropy -= p * std::log(p);
  EXPECT_NEAR(*language.entropy_floor(tokens), entropy / (800 * 31), 0.04);
}

TEST(CopyLanguage, CopiesAsOftenAsItSays) {
  const CopyLanguage language({.vocab = 1024, .copy_probability = 0.25, .copy_distance = 3}, 7);
  const auto x = language.sample(Key(1), 1000, 31).to_vector<std::int64_t>();
  int copies = 0;
  double expected = 0;
  for (std::size_t r = 0; r < 1000; ++r)
    for (std::size_t t = 3; t < 32; ++t) {
      const auto* row = x.data() + r * 32;
      copies += row[t] == row[t - 3];
      if (t == 20) expected += language.conditional({row, t})[static_cast<std::size_t>(row[t - 3])] * 29;
    }
  EXPECT_NEAR(copies, expected, 0.06 * expected);
}

TEST(CopyLanguage, ARowDependsOnItsNameOnly) {
  const CopyLanguage language({}, 3), again({}, 3), other({}, 4);
  const Tensor eight = language.batch(10, 8, 31);
  EXPECT_TRUE(same_bits(eight, again.batch(10, 8, 31)));
  EXPECT_TRUE(same_bits(eight.slice(0, 0, 3).contiguous(), language.batch(10, 3, 31)));
  EXPECT_TRUE(same_bits(eight.slice(1, 0, 17).contiguous(), language.batch(10, 8, 16)));
  EXPECT_FALSE(same_bits(eight, language.batch(11, 8, 31)));
  EXPECT_FALSE(same_bits(eight, other.batch(10, 8, 31)));
  EXPECT_TRUE(same_bits(language.validation(8, 31), other.validation(8, 31)));
  EXPECT_FALSE(same_bits(language.validation(8, 31), eight));
}

TEST(CopyLanguage, ThreadsDoNotMatter) {
  const CopyLanguage language({}, 3);
  const int before = num_threads();
  set_num_threads(1);
  const Tensor one = language.batch(0, 400, 31);
  set_num_threads(4);
  const Tensor four = language.batch(0, 400, 31);
  set_num_threads(before);
  EXPECT_TRUE(same_bits(one, four));
}

TEST(CopyLanguage, BadRequestsSayWhatToDo) {
  const CopyLanguage language({}, 3);
  try {
    language.batch(0, 2, 64);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_THAT(e.message(), testing::HasSubstr("sequences of 32 tokens"));
    EXPECT_THAT(e.hint(), testing::HasSubstr("set its length to 65"));
  }
  EXPECT_THROW(language.batch(0, 2, 0), UserError);
  EXPECT_THROW(language.entropy_floor(Tensor::full({1, 4}, 128, DType::i64)), UserError);
  EXPECT_THROW(language.entropy_floor(Tensor::full({1, 4}, -1, DType::i64)), UserError);
  EXPECT_THROW(language.conditional(std::vector<std::int64_t>{500}), UserError);
  EXPECT_THROW(CopyLanguage({.copy_probability = 1.5}, 0), UserError);
}

TEST(CopyLanguage, DecodesToNumbersAndDescribesItself) {
  const CopyLanguage language({}, 3);
  EXPECT_EQ(language.decode(std::vector<std::int64_t>{1, 2, 3}), "1 2 3");
  EXPECT_THAT(language.describe(), testing::HasSubstr("128 tokens"));
  EXPECT_EQ(language.digest(), CopyLanguage({}, 4).digest());
  EXPECT_NE(language.digest(), CopyLanguage({.seed = 9}, 3).digest());
}

}  // namespace
}  // namespace plumb::worlds
