// Sampling: the truncated distribution, what is drawn from it, and that rows do not know of each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "models/sampler.h"
#include "tests/files_support.h"

namespace plumb::models {
namespace {

using test::error_of;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<double> logs_of(const std::vector<double>& p) {
  std::vector<double> z;
  for (const double x : p) z.push_back(std::log(x) + 3);  // a shift changes nothing
  return z;
}

const std::vector<double> half{0.1, 0.5, 0.15, 0.2, 0.05};

void expect_distribution(const SampleOptions& o, const std::vector<double>& want) {
  const auto p = sampling_distribution(logs_of(half), o);
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(p[i], want[i], 1e-12) << i;
}

TEST(SamplingDistribution, KeepsWhatTheOptionsSay) {
  expect_distribution({}, half);
  expect_distribution({.temperature = 0}, {0, 1, 0, 0, 0});
  expect_distribution({.top_k = 2}, {0, 5 / 7.0, 0, 2 / 7.0, 0});
  expect_distribution({.top_k = 99}, half);
  expect_distribution({.top_p = 0.6}, {0, 5 / 7.0, 0, 2 / 7.0, 0});
  expect_distribution({.top_p = 1e-9}, {0, 1, 0, 0, 0});
  expect_distribution({.min_p = 0.25}, {0, 10 / 17.0, 3 / 17.0, 4 / 17.0, 0});
  expect_distribution({.min_p = 1}, {0, 1, 0, 0, 0});
  expect_distribution({.top_k = 3, .min_p = 0.35}, {0, 5 / 7.0, 0, 2 / 7.0, 0});
  double total = 0;
  for (const double p : half) total += p * p;
  std::vector<double> squared;
  for (const double p : half) squared.push_back(p * p / total);
  expect_distribution({.temperature = 0.5}, squared);
}

TEST(SamplingDistribution, TiesGoToTheLowerToken) {
  EXPECT_THAT(sampling_distribution({1, 2, 2, 2}, {.temperature = 0}), ElementsAre(0, 1, 0, 0));
  EXPECT_THAT(sampling_distribution({1, 2, 2, 2}, {.top_k = 2}),
              ElementsAre(0, DoubleNear(0.5, 1e-15), DoubleNear(0.5, 1e-15), 0));
}

TEST(SamplingDistribution, StandsExtremes) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  EXPECT_THAT(sampling_distribution({-inf, 0, -1e300}, {}), ElementsAre(0, 1, 0));
  EXPECT_THAT(sampling_distribution({1e300, -1e300}, {.temperature = 1e-300}), ElementsAre(1, 0));
  const double nan = std::nan("");
  for (const auto& logits :
       std::vector<std::vector<double>>{{inf, 0}, {nan, 0, 1}, {2, nan, 1}, {0, 1, nan}, {-inf, -inf}})
    EXPECT_THAT(error_of([&] { sampling_distribution(logits, {}); }), HasSubstr("not finite")) << logits[0];
}

// A bigram model with one-hot rows: its logits are what the test writes into the head.
struct Known {
  Gpt model;
  nn::Arena arena;
  explicit Known(const std::vector<double>& p)
      : model({.vocab = static_cast<std::int64_t>(p.size()),
               .width = 2,
               .layers = 0,
               .heads = 1,
               .context = 8,
               .positions = Positions::none,
               .norm = nn::NormKind::rmsnorm,
               .norm_eps = 1e-13}),
        arena(model, Key(1), DType::f64) {
    const auto n = static_cast<std::int64_t>(p.size());
    const auto z = logs_of(p);
    for (const auto& s : arena.slots()) {
      if (s.parameter->name == "embedding.weight") arena.value(s).fill_(1);  // rms 1: the head reads (1, 1)
      if (s.parameter->name != "head") continue;
      Tensor w = arena.value(s);
      w.fill_(0);
      w.slice(1, 0, 1).copy_(Tensor::from(z, {n, 1}));
    }
  }
};

// Chi-square of counts against probabilities, and its 99.9 % quantile by Wilson and Hilferty.
void expect_frequencies(const std::vector<int>& counts, const std::vector<double>& p) {
  const int n = std::accumulate(counts.begin(), counts.end(), 0);
  double chi = 0, df = -1;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) {
      EXPECT_EQ(counts[i], 0) << i;
      continue;
    }
    chi += std::pow(counts[i] - n * p[i], 2) / (n * p[i]);
    ++df;
  }
  if (df == 0) return;
  EXPECT_LT(chi, df * std::pow(1 - 2 / (9 * df) + 3.09 * std::sqrt(2 / (9 * df)), 3));
}

TEST(Sample, DrawsWithTheProbabilitiesItStates) {
  Known known(half);
  for (const SampleOptions& options :
       {SampleOptions{}, SampleOptions{.temperature = 2}, SampleOptions{.top_k = 3}, SampleOptions{.top_p = 0.8},
        SampleOptions{.min_p = 0.25}, SampleOptions{.temperature = 0}}) {
    SampleOptions o = options;
    o.max_tokens = 40;  // over several rereadings of a context of 8
    const auto p = sampling_distribution(logs_of(half), o);
    std::vector<int> counts(half.size());
    for (const auto& c : sample(known.model, std::vector<std::vector<std::int64_t>>(100, {0}), o, Key(5))) {
      ASSERT_EQ(c.tokens.size(), 40u);
      for (std::size_t i = 0; i < c.tokens.size(); ++i) {
        const auto token = static_cast<std::size_t>(c.tokens[i]);
        ++counts[token];
        ASSERT_NEAR(c.logps[i], std::log(p[token]), 1e-9);
      }
    }
    expect_frequencies(counts, p);
  }
}

TEST(Sample, GreedyFollowsTheLargestLogitOfTheWholePass) {
  Gpt model({.vocab = 17, .width = 12, .layers = 2, .heads = 3, .context = 16});
  const nn::Arena arena(model, Key(3));
  const auto out = sample(model, {{4, 2}}, {.temperature = 0, .max_tokens = 12}, Key(5));
  std::vector<std::int64_t> text{4, 2};
  for (const auto token : out[0].tokens) {
    const auto logits = model.logits(Tensor::from(text, {1, static_cast<std::int64_t>(text.size())})).value();
    const auto last = logits.select(0, 0).select(0, logits.size(1) - 1).to_vector<double>();
    EXPECT_EQ(token, std::max_element(last.begin(), last.end()) - last.begin());
    text.push_back(token);
  }
  EXPECT_EQ(out[0].logps, std::vector<double>(12, 0));
}

TEST(Sample, ARowIsTheSameInAnyCompany) {
  Gpt model({.vocab = 17, .width = 12, .layers = 2, .heads = 3, .kv_heads = 1, .context = 8});
  const nn::Arena arena(model, Key(3));
  const SampleOptions o{.max_tokens = 25, .stop_tokens = {3}};
  const std::vector<std::vector<std::int64_t>> prompts{
      {1}, {2, 5, 7, 9, 11}, {16, 15, 14, 13, 12, 11, 10, 9, 8, 7}, {6, 6}};
  const auto together = sample(model, prompts, o, Key(5));
  ASSERT_EQ(together.size(), 4u);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    // The same row number, so the same key: the rows before it hold something else.
    std::vector<std::vector<std::int64_t>> other(i, {static_cast<std::int64_t>(i), 0});
    other.push_back(prompts[i]);
    const auto alone = sample(model, other, o, Key(5));
    EXPECT_EQ(alone[i].tokens, together[i].tokens) << i;
    EXPECT_EQ(alone[i].logps, together[i].logps) << i;
    EXPECT_EQ(alone[i].stopped, together[i].stopped) << i;
  }
}

TEST(Sample, AStopTokenEndsItsRowAndIsItsLast) {
  Known known(half);
  const auto out = sample(known.model, std::vector<std::vector<std::int64_t>>(60, {0}),
                          {.max_tokens = 30, .stop_tokens = {3, 4}}, Key(5));
  int stopped = 0;
  for (const auto& c : out) {
    stopped += c.stopped;
    EXPECT_EQ(c.tokens.size(), c.logps.size());
    for (std::size_t i = 0; i < c.tokens.size(); ++i)
      EXPECT_EQ(c.tokens[i] == 3 || c.tokens[i] == 4, c.stopped && i + 1 == c.tokens.size());
    EXPECT_TRUE(c.stopped || c.tokens.size() == 30);
  }
  EXPECT_GT(stopped, 55);  // 0.75^30 of them go on
}

TEST(Sample, TellsEachTokenAsItComes) {
  Known known(half);
  std::vector<std::vector<std::int64_t>> seen(3);
  const auto out = sample(known.model, {{0}, {1, 2}, {3}}, {.max_tokens = 9}, Key(5),
                          [&](std::size_t row, std::int64_t token) { seen[row].push_back(token); });
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(seen[i], out[i].tokens);
  EXPECT_TRUE(sample(known.model, {{0}}, {.max_tokens = 0}, Key(5))[0].tokens.empty());
  EXPECT_TRUE(sample(known.model, {}, {}, Key(5)).empty());
}

TEST(Sample, MistakesAreNamed) {
  Known known(half);
  EXPECT_THAT(error_of([&] { sample(known.model, {{}}, {}, Key(5)); }), HasSubstr("an empty prompt"));
  EXPECT_THAT(error_of([&] { sample(known.model, {{5}}, {}, Key(5)); }),
              HasSubstr("token 5 is outside the vocabulary of 5"));
  SampleOptions o{.top_p = 0};
  EXPECT_THAT(error_of([&] { check_fields(o, "sample"); }), HasSubstr("top_p must be above 0"));
}

}  // namespace
}  // namespace plumb::models
