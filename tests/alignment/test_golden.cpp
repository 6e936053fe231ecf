// Supervised objectives against the reference values of tests/golden, and their identities.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "alignment/supervised/language_model.h"
#include "core/random.h"
#include "core/tensor_ops.h"
#include "tests/support/golden.h"

namespace plumb::alignment {
namespace {

Tensor identity(std::int64_t n, DType dtype) {
  std::vector<double> out(static_cast<std::size_t>(n * n), 0);
  for (std::int64_t i = 0; i < n; ++i) out[static_cast<std::size_t>(i * n + i)] = 1;
  return Tensor::from(out, {n, n}).to(dtype);
}

// Logits through the head that training uses: times the identity, which changes no bit of them.
Var logprobs_of(const Var& logits_BTV, const Tensor& labels_BT, double softcap = 0) {
  const Var w(identity(logits_BTV.size(-1), logits_BTV.dtype()));
  return token_logprobs(logits_BTV, w, {}, labels_BT, {.softcap = softcap});
}

Tensor masked(const Tensor& labels, const Tensor& mask) {
  auto out = labels.to_vector<std::int64_t>();
  const auto kept = mask.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < out.size(); ++i)
    if (!kept[i]) out[i] = -100;
  return Tensor::from(out, labels.shape());
}

double mean_of(const Term& term) { return fold(0, term.rows_B.value()) / term.count; }

TEST(Golden, LmZLoss) {
  golden::for_each("p29_small_scale_proxies", "lm_z_loss", [](golden::Case& c) {
    const Var logits = c.leaf("logits");
    const Tensor labels = masked(c.input("labels"), c.input("mask"));
    const LanguageModel objective{.z_loss = c.number("coef"), .z_target = c.number("target")};
    const Outcome out = objective(logprobs_of(logits, labels, c.number("final_softcap")), labels);
    backward(out);
    c.expect_loss(out.value());
    c.expect_grad("logits", logits);
    c.expect("cross_entropy", mean_of(out.loss.at(0)));
    if (out.loss.size() > 1) c.expect("z_loss", mean_of(out.loss.at(1)));
    else c.not_ours("z_loss");  // a term that is off is not computed
    c.expect("log_z_mean", fold(0, out.metrics.at(0).rows_B) / out.metrics.at(0).count);
    for (const char* diagnostic : {"log_z_abs_max", "logit_mean", "logit_min"}) c.not_ours(diagnostic);
  });
}

TEST(Golden, Sft) {
  golden::for_each("p00c_supervised_baselines", "sft", [](golden::Case& c) {
    if (c.number("label_smoothing") > 0) return c.whole_case_is_not_ours();
    const Var logits = c.leaf("logits");
    const Tensor labels = c.input("labels").reshape({1, logits.size(0)});
    const Outcome out =
        LanguageModel{}(logprobs_of(reshape(logits, {1, logits.size(0), logits.size(1)}), labels), labels);
    backward(out);
    c.expect_loss(out.value());
    c.expect("nll", mean_of(out.loss.at(0)));
    c.expect("num_tokens", out.loss.at(0).count);
    c.expect_grad("logits", logits);
    c.not_ours("token_accuracy");
  });
}

// The term alone: the difference that it makes.
TEST(Golden, ZLoss) {
  golden::for_each("p00c_supervised_baselines", "z_loss", [](golden::Case& c) {
    const Var logits = c.leaf("logits");
    const Tensor labels = masked(Tensor::zeros(c.input("mask").shape(), DType::i64), c.input("mask"));
    const Var logprobs = logprobs_of(logits, labels);
    Outcome out = LanguageModel{.z_loss = c.number("z_loss_coef")}(logprobs, labels);
    out.loss.erase(out.loss.begin());
    backward(out);
    c.expect_loss(out.value());
    c.expect_grad("logits", logits);
    c.expect("log_z", logprobs.value().select(0, 1));
    c.expect("log_z_rms", std::sqrt(mean_of(out.loss.at(0))));
  });
}

struct Example {
  Var logits = Var::leaf(Key(1).normal({2, 3, 5}, 0, 2, DType::f64), {}, "logits");
  Tensor labels = Tensor::from(std::vector<std::int64_t>{0, 4, -100, 2, 3, 1}, {2, 3});
};

// Identity 1: without the term nothing changes, to the bit; each token's gradient sums to 0 over the vocabulary, with
// the term to 2 coef (log Z - target) / n.
TEST(LmZLoss, GradientsSumOverTheVocabularyToTheTermAlone) {
  for (const double coef : {0.0, 0.3}) {
    const Example e;
    const LanguageModel objective{.z_loss = coef, .z_target = 0.7};
    const Outcome out = objective(logprobs_of(e.logits, e.labels), e.labels);
    if (coef == 0) {
      EXPECT_EQ(out.value(), mean_of(out.loss.at(0)));
    }
    backward(out);
    const auto sums = sum(Var(e.logits.grad()), {-1}).value().to_vector<double>();
    const auto log_z = log_sum_exp(e.logits, -1).value().to_vector<double>();
    const auto labels = e.labels.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < sums.size(); ++i)
      EXPECT_NEAR(sums[i], labels[i] < 0 ? 0 : 2 * coef * (log_z[i] - 0.7) / 5, 1e-14) << "token " << i;
  }
}

// Identity 2: a constant on all logits leaves the cross-entropy alone and moves log Z.
TEST(LmZLoss, AConstantOnAllLogitsMovesLogZAlone) {
  const Example e;
  const LanguageModel objective{.z_loss = 1};
  const Outcome before = objective(logprobs_of(e.logits, e.labels), e.labels);
  const Outcome after = objective(logprobs_of(e.logits + 2.5, e.labels), e.labels);
  EXPECT_NEAR(mean_of(after.loss.at(0)), mean_of(before.loss.at(0)), 1e-12);
  const double log_z = fold(0, before.metrics.at(0).rows_B) / 5;
  EXPECT_NEAR(mean_of(after.loss.at(1)), mean_of(before.loss.at(1)) + 2 * 2.5 * log_z + 2.5 * 2.5, 1e-12);
}

}  // namespace
}  // namespace plumb::alignment
