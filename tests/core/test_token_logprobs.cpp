// Token log-probabilities and their gradients against explicit logits, and the promises about their bits.
#include <limits>

#include "core/cpu/token_logprobs_table.h"
#include "tests/core/rows_support.h"

namespace plumb::testing {
namespace {

template <class T>
struct TokenLogprobs : Floats<T> {};
TYPED_TEST_SUITE(TokenLogprobs, FloatTypes);

// Operands, and all that forward and backward give. Every seventh label is negative.
template <class T>
struct Case {
  kernels::Rows rows;
  std::int64_t d, vocab;
  double scale = 1, softcap = 0;
  bool with_bias = false;
  std::vector<T> x, w, bias, logp, log_z, g_logp, g_log_z, dx, dw, dbias;
  std::vector<std::int64_t> labels;

  Case(kernels::Rows r, std::int64_t width, std::int64_t words) : rows(r), d(width), vocab(words) {
    const std::int64_t n = r.runs * r.examples * r.rows;
    x = random_values<T>(n * d, 1), w = random_values<T>(r.runs * vocab * d, 2),
    bias = random_values<T>(r.runs * vocab, 3);
    g_logp = random_values<T>(n, 4), g_log_z = random_values<T>(n, 5);
    dw = random_values<T>(w.size(), 6), dbias = random_values<T>(bias.size(), 7);
    logp.assign(n, 7), log_z.assign(n, 7), dx.assign(x.size(), 7);
    for (std::int64_t i = 0; i < n; ++i) labels.push_back(i % 7 == 3 ? -1 : i * 31 % vocab);
  }
  kernels::TokenLogprobs forward() {
    return {.rows = rows,
            .d = d,
            .vocab = vocab,
            .dtype = dtype_of<T>,
            .weight_dtype = dtype_of<T>,
            .scale = scale,
            .softcap = softcap,
            .x = x.data(),
            .w = w.data(),
            .bias = with_bias ? bias.data() : nullptr,
            .labels = labels.data(),
            .logp = logp.data(),
            .log_z = log_z.data()};
  }
  void run() {
    backend(Device{}).token_logprobs(forward());
    backend(Device{}).token_logprobs_grad({.forward = forward(),
                                           .g_logp = g_logp.data(),
                                           .g_log_z = g_log_z.data(),
                                           .dx = dx.data(),
                                           .dw = dw.data(),
                                           .dbias = with_bias ? dbias.data() : nullptr});
  }
  // Some rows of this case (of one run), with parameter gradients that start from `from`.
  Case some(kernels::Rows r, std::int64_t first, const Case& from) const {
    Case c(r, d, vocab);
    const std::int64_t n = r.examples * r.rows;
    c.scale = scale, c.softcap = softcap, c.with_bias = with_bias, c.w = w, c.bias = bias;
    c.x = part(x, first * d, n * d), c.labels = part(labels, first, n);
    c.g_logp = part(g_logp, first, n), c.g_log_z = part(g_log_z, first, n), c.dw = from.dw, c.dbias = from.dbias;
    return c;
  }
};

// The plain loops, in double.
template <class T>
struct Reference {
  std::vector<double> logp, log_z, dx, dw, dbias;
  explicit Reference(const Case<T>& c)
      : dx(c.x.size()), dw(c.dw.begin(), c.dw.end()), dbias(c.dbias.begin(), c.dbias.end()) {
    for (std::int64_t n = 0; n < static_cast<std::int64_t>(c.labels.size()); ++n) row(c, n);
  }

 private:
  void row(const Case<T>& c, std::int64_t n) {
    const std::int64_t run = n / (c.rows.examples * c.rows.rows), label = c.labels[n];
    std::vector<double> z(c.vocab), slope(c.vocab, 1);
    double total = 0;
    for (std::int64_t v = 0; v < c.vocab; ++v) {
      for (std::int64_t i = 0; i < c.d; ++i) z[v] += c.scale * c.x[n * c.d + i] * c.w[(run * c.vocab + v) * c.d + i];
      if (c.with_bias) z[v] += c.bias[run * c.vocab + v];
      if (c.softcap > 0) {
        const double t = std::tanh(z[v] / c.softcap);
        z[v] = c.softcap * t, slope[v] = 1 - t * t;
      }
      total += std::exp(z[v]);
    }
    log_z.push_back(label < 0 ? 0 : std::log(total));
    logp.push_back(label < 0 ? 0 : z[label] - std::log(total));
    for (std::int64_t v = 0; label >= 0 && v < c.vocab; ++v) {
      const double p = std::exp(z[v]) / total;
      const double g = (c.g_logp[n] * ((v == label) - p) + c.g_log_z[n] * p) * slope[v];
      if (c.with_bias) dbias[run * c.vocab + v] += g;
      for (std::int64_t i = 0; i < c.d; ++i) {
        dx[n * c.d + i] += c.scale * g * c.w[(run * c.vocab + v) * c.d + i];
        dw[(run * c.vocab + v) * c.d + i] += c.scale * g * c.x[n * c.d + i];
      }
    }
  }
};

template <class T>
void expect_equals_reference(Case<T> c) {
  const Reference<T> r(c);
  c.run();
  const double by = 10 * tolerance<T>;
  expect_close(c.logp, r.logp, by);
  expect_close(c.log_z, r.log_z, by);
  expect_close(c.dx, r.dx, by);
  expect_close(c.dw, r.dw, by);
  expect_close(c.dbias, r.dbias, by);
}

TYPED_TEST(TokenLogprobs, EqualExplicitLogits) {
  using T = TypeParam;
  expect_equals_reference(Case<T>({}, 1, 1));
  expect_equals_reference(Case<T>({.examples = 3, .rows = 5}, 7, 19));
  expect_equals_reference(Case<T>({.examples = 1, .rows = 2}, 4, 4100));
  Case<T> all({.runs = 2, .examples = 4, .rows = 50}, 12, 33);
  all.scale = 0.3, all.softcap = 2, all.with_bias = true;
  expect_equals_reference(all);
  all.scale = 1, all.softcap = 0;
  expect_equals_reference(all);
}

TYPED_TEST(TokenLogprobs, EqualExplicitLogitsWhenAnExampleSpansChunks) {
  using T = TypeParam;
  Case<T> c({.examples = 2, .rows = 450}, 2, sizeof(T) == 8 ? 5000 : 10000);
  c.with_bias = true, c.scale = 0.5;
  expect_equals_reference(c);
}

TYPED_TEST(TokenLogprobs, GiveARowTheSameBitsAloneAndInABatch) {
  using T = TypeParam;
  Case<T> batch({.examples = 5, .rows = 61}, 40, 2100);
  batch.softcap = 6;
  batch.run();
  for (const std::int64_t row : {0, 1, 47, 48, 96, 300}) {
    Case<T> alone = batch.some({}, row, batch);
    alone.run();
    EXPECT_EQ(alone.logp[0], batch.logp[row]);
    EXPECT_EQ(alone.log_z[0], batch.log_z[row]);
    EXPECT_TRUE(alone.dx == part(batch.dx, row * 40, 40));
  }
}

TYPED_TEST(TokenLogprobs, AddEightExamplesAsFourAndFourAndAsEightSingles) {
  using T = TypeParam;
  for (const std::int64_t rows : {5, 130}) {
    Case<T> whole({.examples = 8, .rows = rows}, 20, 50);
    whole.with_bias = true, whole.scale = 0.7;
    const Case<T> before = whole;
    whole.run();
    for (const std::int64_t piece : {4, 1}) {
      Case<T> sum = before;
      for (std::int64_t e = 0; e < 8; e += piece) {
        Case<T> c = before.some({.examples = piece, .rows = rows}, e * rows, sum);
        c.run();
        sum.dw = c.dw, sum.dbias = c.dbias;
      }
      EXPECT_TRUE(sum.dw == whole.dw && sum.dbias == whole.dbias) << piece << " at a time, rows " << rows;
    }
  }
}

TYPED_TEST(TokenLogprobs, IgnoreWhatIsStoredInRowsWithoutALabel) {
  using T = TypeParam;
  Case<T> plain({.examples = 3, .rows = 70}, 16, 30), padded({.examples = 3, .rows = 111}, 16, 30);
  plain.with_bias = padded.with_bias = true;
  std::fill(padded.labels.begin(), padded.labels.end(), -1);
  std::fill(padded.x.begin(), padded.x.end(), std::numeric_limits<T>::quiet_NaN());
  for (std::int64_t e = 0; e < 3; ++e) {
    std::copy_n(plain.x.begin() + e * 70 * 16, 70 * 16, padded.x.begin() + e * 111 * 16);
    std::copy_n(plain.labels.begin() + e * 70, 70, padded.labels.begin() + e * 111);
    std::copy_n(plain.g_logp.begin() + e * 70, 70, padded.g_logp.begin() + e * 111);
    std::copy_n(plain.g_log_z.begin() + e * 70, 70, padded.g_log_z.begin() + e * 111);
  }
  plain.run();
  padded.run();
  EXPECT_TRUE(plain.dw == padded.dw && plain.dbias == padded.dbias);
  EXPECT_TRUE(part(plain.logp, 70, 70) == part(padded.logp, 111, 70));
  EXPECT_TRUE(part(plain.dx, 70 * 16, 70 * 16) == part(padded.dx, 111 * 16, 70 * 16));
  EXPECT_EQ(padded.dx[80 * 16], 0);
  EXPECT_EQ(padded.log_z[80], 0);
}

TYPED_TEST(TokenLogprobs, DoNotDependOnThreads) {
  expect_same_for_all_threads([] {
    Case<TypeParam> c({.runs = 2, .examples = 5, .rows = 83}, 24, 300);
    c.with_bias = true, c.scale = 0.25;
    c.run();
    return std::vector{c.logp, c.log_z, c.dx, c.dw, c.dbias};
  });
}

TEST(TokenLogprobsBf16, ComputeOnWidenedOperands) {
  Case<float> c({.examples = 2, .rows = 9}, 8, 20);
  c.with_bias = true;
  std::vector<Bf16> x, w, bias, dx(c.dx.size());
  const auto round = [](std::vector<float>& from, std::vector<Bf16>& to) {
    for (auto& v : from) to.push_back(Bf16(v)), v = static_cast<float>(to.back());
  };
  round(c.x, x), round(c.w, w), round(c.bias, bias);
  Case<float> half = c;
  c.run();
  auto forward = half.forward();
  forward.dtype = forward.weight_dtype = DType::bf16, forward.x = x.data(), forward.w = w.data(),
  forward.bias = bias.data();
  backend(Device{}).token_logprobs(forward);
  backend(Device{}).token_logprobs_grad({.forward = forward,
                                         .g_logp = c.g_logp.data(),
                                         .g_log_z = c.g_log_z.data(),
                                         .dx = dx.data(),
                                         .dw = half.dw.data(),
                                         .dbias = half.dbias.data()});
  EXPECT_TRUE(half.logp == c.logp && half.dw == c.dw && half.dbias == c.dbias);
  for (std::size_t i = 0; i < dx.size(); ++i) ASSERT_EQ(dx[i].bits, Bf16(c.dx[i]).bits);
}

TEST(TokenLogprobsShapes, MayBeEmptyAndMayLackGradients) {
  Case<float>({.examples = 0, .rows = 4}, 3, 5).run();
  Case<float> c({.examples = 2, .rows = 3}, 4, 6);
  backend(Device{}).token_logprobs(c.forward());
  const auto before = c.dw;
  backend(Device{}).token_logprobs_grad({.forward = c.forward(), .dx = c.dx.data(), .dw = c.dw.data()});
  EXPECT_TRUE(c.dw == before && c.dx == std::vector<float>(c.dx.size()));
}

TYPED_TEST(TokenLogprobs, JoinBlocksAlikeOnEveryInstructionSet) {
  using T = TypeParam;
  for (const auto* t : tables(cpu::baseline::token_table(), cpu::avx2::token_table(), cpu::avx512::token_table())) {
    auto z = random_values<T>(64, 1, 3);
    double total = 0;
    for (int j = 0; j < 50; ++j) total += std::exp(1.0 * z[j]);
    const double own = z[40];
    const std::int64_t label = 40;
    T top = -std::numeric_limits<T>::infinity(), sum = 0, at = 0, logp = 0, log_z = 0;
    cpu::LogitRows<T> rows{.z = z.data(),
                           .rows = 1,
                           .stride = 64,
                           .n = 33,
                           .labels = &label,
                           .top = &top,
                           .total = &sum,
                           .label_logit = &at};
    t->add(T{})(rows);
    std::vector<T> rest(32);
    std::copy_n(random_values<T>(64, 1, 3).begin() + 33, 17, rest.begin());
    rows.z = rest.data(), rows.first = 33, rows.n = 17;
    t->add(T{})(rows);
    t->finish(T{})(rows, &logp, &log_z);
    EXPECT_NEAR(log_z, std::log(total), 10 * tolerance<T>);
    EXPECT_NEAR(logp, own - std::log(total), 10 * tolerance<T>);
  }
}

}  // namespace
}  // namespace plumb::testing
