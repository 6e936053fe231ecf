// Random numbers: known answers, distributions, and independence from order, threads and instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/cpu/random_table.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/random_math.h"
#include "tests/core/isa_cases.h"

namespace plumb {
namespace {

using kernels::Distribution;
namespace rm = random_math;

// The vectors for philox4x32 with 10 rounds that Random123 publishes.
TEST(Philox, GivesTheKnownAnswers) {
  struct Case {
    std::uint32_t counter[4], key[2], out[4];
  };
  const Case cases[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                         {0xa4093822, 0x299f31d0},
                         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (const Case& c : cases) {
    std::uint32_t out[4];
    Philox::block(c.counter, c.key, out);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(out[i], c.out[i]);
  }
}

TEST(RandomMath, LogAndNormalQuantileAreAccurate) {
  for (double x = 1e-15; x < 1; x = x * 1.01 + 1e-9)
    EXPECT_NEAR(rm::log(x) / std::log(static_cast<long double>(x)), 1, 4e-16) << x;
  for (double z = -8; z < 6; z += 0.01) {  // the distribution function and back
    const double p = static_cast<double>(0.5L * std::erfc(-static_cast<long double>(z) * 0.7071067811865475244L));
    const double slack = 4e-16 * (1 + std::fabs(z)) + 2e-16 * std::max(0.0, 2.5 * std::exp(z * z / 2) * (z > 0));
    EXPECT_NEAR(rm::normal(p), z, slack) << z;
  }
  EXPECT_EQ(rm::below_minus_two, static_cast<double>(0.5L * std::erfc(std::sqrt(2.0L))));
}

// The largest distance between the empirical and the true distribution function, times sqrt(n): 1.95 is 0.1 %.
double kolmogorov_smirnov(std::vector<double> x, const std::function<double(double)>& cdf) {
  std::sort(x.begin(), x.end());
  double worst = 0;
  const auto n = static_cast<double>(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double f = cdf(x[i]);
    worst = std::max({worst, f - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - f});
  }
  return worst * std::sqrt(n);
}
double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

TEST(Distributions, PassKolmogorovAndSmirnov) {
  const Key key = Key(7).at("distributions");
  const double cut = 2 / rm::truncated_sd;
  for (const DType t : {DType::f32, DType::f64}) {
    const auto check = [](const Tensor& x, const std::function<double(double)>& cdf) {
      EXPECT_LT(kolmogorov_smirnov(x.to_vector<double>(), cdf), 1.95);
    };
    check(key.uniform({100000}, -1, 3, t), [](double x) { return (x + 1) / 4; });
    check(key.normal({100000}, 2, 0.5, t), [](double x) { return normal_cdf((x - 2) / 0.5); });
    check(key.gumbel({100000}, t), [](double x) { return std::exp(-std::exp(-x)); });
    check(key.truncated_normal({100000}, 1, t), [cut](double x) {
      return (normal_cdf(x * rm::truncated_sd) - normal_cdf(-2)) / (1 - 2 * normal_cdf(-2)) *
             (std::fabs(x) <= cut * (1 + 1e-7));
    });
  }
}

TEST(Distributions, HaveTheStatedMoments) {
  const auto x = Key(3).truncated_normal({200000}, 0.02).to_vector<double>();
  double sum = 0, squares = 0;
  for (const double v : x) {
    sum += v;
    squares += v * v;
    ASSERT_LE(std::fabs(v), 0.02 * 2 / rm::truncated_sd * (1 + 1e-7));
  }
  EXPECT_NEAR(sum / 200000, 0, 0.02 * 4 / std::sqrt(200000.0));
  EXPECT_NEAR(std::sqrt(squares / 200000), 0.02, 0.02 * 0.006);
}

TEST(Distributions, UniformStaysBelowItsUpperEnd) {
  const auto all_in = [](const Tensor& x, double low, double high) {
    for (const double v : x.to_vector<double>()) ASSERT_TRUE(v >= low && v < high) << v;
  };
  for (const DType t : {DType::f64, DType::f32, DType::bf16}) {
    all_in(Key(1).uniform({100000}, 0, 1, t), 0, 1);
    all_in(Key(1).uniform({100000}, 1, 1.5, t), 1, 1.5);
    all_in(Key(1).uniform({100000}, -4, -2, t), -4.02, -2);
  }
}

TEST(Streams, ADrawIsAFunctionOfKeyAndPosition) {
  Backend& b = backend(Device{});
  for (const DType t : {DType::f32, DType::f64, DType::bf16})
    for (const Distribution d :
         {Distribution::uniform, Distribution::normal, Distribution::truncated_normal, Distribution::gumbel}) {
      Tensor whole = Tensor::empty({10007}, t);
      b.random(d, 42, 5, 0, 1, whole.view());
      for (const std::int64_t first : {1, 2, 3, 64, 1000, 9999}) {
        const std::int64_t n = std::min<std::int64_t>(10007 - first, 130);
        Tensor part = Tensor::empty({n}, t);
        b.random(d, 42, 5 + static_cast<std::uint64_t>(first), 0, 1, part.view());
        EXPECT_TRUE(same_bits(part, whole.slice(0, first, first + n)));
      }
    }
}

TEST(Streams, ThreadsDoNotMatter) {
  const int before = num_threads();
  set_num_threads(1);
  const Tensor one = Key(5).normal({50001});
  set_num_threads(3);
  EXPECT_TRUE(same_bits(one, Key(5).normal({50001})));
  set_num_threads(before);
}

TEST(Streams, EveryInstructionSetDrawsTheSameBitsAsTheSharedHeader) {
  const auto tables =
      test::runnable<cpu::RandomTable>(cpu::baseline::random_table, cpu::avx2::random_table, cpu::avx512::random_table);
  constexpr int n = 3000;
  std::vector<float> x(n);
  std::vector<double> y(n);
  for (const auto& [isa, table] : tables) {
    const std::uint64_t first = (1ull << 34) - 777;  // the counter's second word comes into play
    table->fill_f32(Distribution::normal, 99, first, 1, 2, x.data(), n);
    table->fill_f64(Distribution::truncated_normal, 99, first, 0, 2, y.data(), n);
    for (int i = 0; i < n; ++i) {
      const std::uint64_t at = first + static_cast<std::uint64_t>(i);
      ASSERT_EQ(x[i], static_cast<float>(rm::multiply_add(rm::normal(rm::open_unit(rm::bits32(99, at))), 2, 1))) << isa;
      ASSERT_EQ(y[i], rm::truncated_scaled(rm::normal(rm::truncated_p(rm::open_unit(rm::bits64(99, at))))) * 2) << isa;
    }
  }
}

TEST(Streams, RawBitsAreTheWords) {
  Tensor wide = Tensor::empty({9}, DType::i64), narrow = Tensor::empty({9}, DType::i32);
  backend(Device{}).random(Distribution::bits, 12, 3, 0, 0, wide.view());
  backend(Device{}).random(Distribution::bits, 12, 3, 0, 0, narrow.view());
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(wide.data<std::int64_t>()[i],
              static_cast<std::int64_t>(rm::bits64(12, static_cast<std::uint64_t>(3 + i))));
    EXPECT_EQ(narrow.data<std::int32_t>()[i],
              static_cast<std::int32_t>(rm::bits32(12, static_cast<std::uint64_t>(3 + i))));
  }
}

TEST(Key, ChildrenDifferByPurposeAndIndexAndFromTheirParent) {
  const Key root(0);
  std::vector<std::uint64_t> seen{root.bits(),
                                  Key(1).bits(),
                                  root.at("a").bits(),
                                  root.at("b").bits(),
                                  root.at("").bits(),
                                  root.at("a").at("b").bits(),
                                  root.at("b").at("a").bits(),
                                  root.at("ab").bits()};
  for (std::uint64_t i = 0; i < 1000; ++i) seen.push_back(root.at(i).bits());
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
  EXPECT_EQ(root.at("data").at(3).bits(), Key(0).at("data").at(3).bits());
}

TEST(Key, SingleDrawsAreThoseOfTensors) {
  const Key key(11);
  const auto u = key.uniform({50}, 0, 1, DType::f64).to_vector<double>(),
             z = key.normal({50}, 0, 1, DType::f64).to_vector<double>();
  for (std::uint64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(key.uniform_at(i), u[i]);
    EXPECT_EQ(key.normal_at(i), z[i]);
  }
}

TEST(Key, BelowIsUniform) {
  const Key key = Key(2).at("below");
  std::vector<int> counts(7);
  for (std::uint64_t i = 0; i < 70000; ++i) ++counts.at(key.below(7, i));
  double chi_square = 0;
  for (const int c : counts) chi_square += (c - 10000.0) * (c - 10000.0) / 10000.0;
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom, 0.1 %
  EXPECT_EQ(key.below(1, 5), 0u);
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_LT(key.below(0xC000000000000000ull, i), 0xC000000000000000ull);
}

TEST(Key, APermutationIsOneAndItsPlacesAreFair) {
  std::vector<int> first(5);
  for (std::uint64_t s = 0; s < 5000; ++s) {
    auto p = Key(s).permutation(5).to_vector<std::int64_t>();
    ++first.at(static_cast<std::size_t>(p[0]));
    std::sort(p.begin(), p.end());
    ASSERT_EQ(p, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  }
  double chi_square = 0;
  for (const int c : first) chi_square += (c - 1000.0) * (c - 1000.0) / 1000.0;
  EXPECT_LT(chi_square, 18.5);  // 4 degrees of freedom, 0.1 %
  EXPECT_EQ(Key(1).permutation(0).numel(), 0);
}

TEST(Key, CategoricalFollowsItsProbabilitiesRowByRow) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> row{std::log(0.5f), std::log(0.3f), -inf, std::log(0.2f)};
  const Tensor logits = Tensor::from(row, {1, 4}).expand({40000, 4});
  const auto drawn = Key(8).categorical(logits).to_vector<std::int64_t>();
  std::vector<double> counts(4);
  for (const auto k : drawn) ++counts.at(static_cast<std::size_t>(k));
  const double expected[] = {20000, 12000, 0, 8000};
  EXPECT_EQ(counts[2], 0);
  double chi_square = 0;
  for (const int k : {0, 1, 3})
    chi_square += (counts[static_cast<std::size_t>(k)] - expected[k]) *
                  (counts[static_cast<std::size_t>(k)] - expected[k]) / expected[k];
  EXPECT_LT(chi_square, 13.8);  // 2 degrees of freedom, 0.1 %
  const auto fewer = Key(8).categorical(logits.slice(0, 0, 10)).to_vector<std::int64_t>();
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), drawn.begin()));
}

}  // namespace
}  // namespace plumb
