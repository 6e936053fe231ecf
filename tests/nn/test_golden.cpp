// Layers against the reference values of tests/golden.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/backward.h"
#include "core/tensor_ops.h"
#include "nn/transformer.h"
#include "tests/support/golden.h"

namespace plumb::nn {
namespace {

const char* const proxies = "p29_small_scale_proxies";

TEST(Golden, LayernormWithoutBias) {
  golden::for_each(proxies, "layernorm_no_bias", [](golden::Case& c) {
    const Var x = c.leaf("x"), alpha = c.leaf("alpha"), upstream(c.input("upstream"));
    c.only_says_how("rms");
    const Var z = normalise(x, alpha, {}, {.center = c.flag("center"), .eps = c.number("eps")});
    const Var loss = sum(z * upstream);
    backward(loss);
    c.expect("z", z.value());
    c.expect("input_rms", std::sqrt(mean(square(x)).item()));
    c.expect_loss(loss.item());
    c.expect_grad("x", x);
    c.expect_grad("alpha", alpha);
  });
}

// The weight of a row is g v / |v|: what the operators give, until there is a layer of it.
TEST(Golden, WeightNorm) {
  golden::for_each(proxies, "weight_norm", [](golden::Case& c) {
    const Var v = c.leaf("v"), g = c.leaf("g"), probe(c.input("probe"));
    const Var w = v * rsqrt(sum(square(v), {-1}, true)) * reshape(g, {g.size(0), 1});
    const Var loss = sum(w * probe);
    backward(loss);
    c.expect("weight", w.value());
    c.expect_loss(loss.item());
    c.expect_grad("v", v);
    c.expect_grad("g", g);
  });
}

double scale_of(golden::Case& c, std::int64_t d) {
  const double fixed = c.number("scale_value");
  const std::string scale = c.text("scale");
  if (scale == "fixed") return fixed;
  return scale == "d" ? 1 / static_cast<double>(d) : 1 / std::sqrt(static_cast<double>(d));
}

TEST(Golden, QkNormAttention) {
  golden::for_each(proxies, "qk_norm_attention", [](golden::Case& c) {
    const Var q = c.leaf("q"), k = c.leaf("k"), v = c.leaf("v");  // [B, H, T, d]
    const Var q_gain = c.leaf("q_scale"), k_gain = c.leaf("k_scale"), probe(c.input("probe"));
    const QkNorm kind = parse_qk_norm(c.text("norm"));
    const bool scaled = kind != QkNorm::none && kind != QkNorm::l2 && kind != QkNorm::kappa;
    const double eps = c.number("eps"), kappa = c.number("kappa");
    const auto normalised = [&](const Var& x, const Var& gain) {
      return qk_normalise(transpose(x, 1, 2), scaled ? gain : Var(), kind, eps, kappa);
    };
    Tensor max_logit, entropy;
    const std::string weights = c.text("weights");
    const AttentionOptions options{.scale = scale_of(c, q.size(3)),
                                   .softcap = c.number("softcap"),
                                   .squared_relu = weights == "squared_relu",
                                   .kv_length = {},
                                   .max_logit = &max_logit,
                                   .entropy = &entropy};
    const Var out =
        transpose(attention(normalised(q, q_gain), normalised(k, k_gain), transpose(v, 1, 2), options), 1, 2);
    const Var loss = mean(out * probe);
    backward(loss);
    c.expect("out", out.value());
    c.expect("max_attn_logit", max(max(Var(max_logit), 2), 0).value());  // [B, H, T]
    c.expect("attn_entropy", mean(Var(entropy), {0, 2}).value());
    c.expect_loss(loss.item());
    for (const auto& [name, leaf] : {std::pair{"q", q}, {"k", k}, {"v", v}}) c.expect_grad(name, leaf);
    for (const auto& [name, leaf] : {std::pair{"q_scale", q_gain}, {"k_scale", k_gain}}) {
      if (scaled) c.expect_grad(name, leaf);
      else c.not_ours(std::string("gradient of ") + name);  // unused: zeros
    }
  });
}

// Identity 3 of the paper's page: queries and keys of any length give the same attention, and logits have a bound.
TEST(QkNorm, LengthsDoNotMatterAndLogitsAreBounded) {
  const Var x(Key(3).normal({2, 5, 3, 4}, 0, 1, DType::f64)), y(Key(4).normal({2, 5, 3, 4}, 0, 1, DType::f64));
  for (const QkNorm kind :
       {QkNorm::layernorm, QkNorm::rmsnorm, QkNorm::layernorm_full, QkNorm::rmsnorm_full, QkNorm::l2}) {
    const auto logits = [&](double a, double b) {
      const Var q = qk_normalise(x * a, {}, kind, 1e-30), k = qk_normalise(y * b, {}, kind, 1e-30);
      return sum(q * k, {-1});
    };
    const auto one = logits(1, 1).value().to_vector<double>(), other = logits(7, 0.03).value().to_vector<double>();
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], other[i], 1e-12);
    const double bound = kind == QkNorm::l2 ? 1 : kind == QkNorm::layernorm || kind == QkNorm::rmsnorm ? 4 : 12;
    for (const double z : one) EXPECT_LE(std::abs(z), bound * (1 + 1e-12));
  }
  const Var plain = qk_normalise(x * 2.0, {}, QkNorm::none);
  EXPECT_EQ(plain.value().to_vector<double>()[0], 2 * x.value().to_vector<double>()[0]);
}

}  // namespace
}  // namespace plumb::nn
