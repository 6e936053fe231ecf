// The attention layer in all its forms against plain loops; that nothing flows backwards in time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nn/transformer.h"
#include "tests/files_support.h"
#include "tests/plain_attention.h"

namespace plumb::nn {
namespace {

using plain::Rows;
using test::error_of;
using testing::HasSubstr;

constexpr QkNorm every_norm[] = {QkNorm::none,         QkNorm::layernorm, QkNorm::rmsnorm, QkNorm::layernorm_full,
                                 QkNorm::rmsnorm_full, QkNorm::l2,        QkNorm::kappa};

void expect_plain(const AttentionLayerOptions& o, std::int64_t T = 6) {
  SCOPED_TRACE(fmt::format("width {}, heads {}/{}, qk_norm {}, scale {}, softcap {}, rope {}, bias {}", o.width,
                           o.heads, o.kv_heads, static_cast<int>(o.qk_norm), static_cast<int>(o.scale), o.softcap,
                           o.rope, o.bias));
  Attention layer(o);
  Arena arena(layer, Key(1), DType::f64);
  plain::scramble(arena, Key(2));
  const plain::Weights w(layer);
  constexpr std::int64_t batch = 2;
  const Tensor x = Key(3).normal({batch, T, o.width}, 0, 1, DType::f64);
  AttentionTrace trace;
  const Tensor y = layer(x, &trace).value();
  for (std::int64_t b = 0; b < batch; ++b) {
    plain::Trace seen;
    const Rows want = plain::attention(Rows(x.select(0, b)), w, "", o, &seen);
    const auto got = y.select(0, b).to_vector<double>(), most = trace.max_logit.select(0, b).to_vector<double>(),
               entropy = trace.entropy.select(0, b).to_vector<double>();
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want.v[i], 1e-11) << b << " at " << i;
    for (std::size_t i = 0; i < most.size(); ++i) {
      ASSERT_NEAR(most[i], seen.max_logit[i], 1e-11) << b << " at " << i;
      if (o.squared_relu) continue;  // its weights are no distribution
      ASSERT_NEAR(entropy[i], seen.entropy[i], 1e-11) << b << " at " << i;
    }
  }
}

TEST(Attention, EveryNormOfQueriesAndKeysWithEverySetOfHeads) {
  for (const auto norm : every_norm)
    for (const auto& [heads, kv] : {std::pair{1, 1}, {3, 3}, {6, 2}, {4, 1}})
      expect_plain({.width = heads * 6, .heads = heads, .kv_heads = kv, .qk_norm = norm, .kappa = 3, .norm_eps = 1e-4});
}

TEST(Attention, EveryScale) {
  for (const auto scale : {AttnScale::sqrt_d, AttnScale::d, AttnScale::fixed})
    for (const auto norm : {QkNorm::none, QkNorm::rmsnorm, QkNorm::l2})
      expect_plain({.width = 12, .heads = 2, .kv_heads = 2, .qk_norm = norm, .scale = scale, .scale_value = 0.7});
}

TEST(Attention, SoftcapBiasPositionsAndSquaredRelu) {
  expect_plain({.width = 12, .heads = 2, .kv_heads = 1, .softcap = 0.5});
  expect_plain({.width = 12, .heads = 2, .kv_heads = 1, .bias = true});
  expect_plain({.width = 10, .heads = 2, .kv_heads = 1, .rope = false});  // d may be odd
  expect_plain({.width = 12, .heads = 2, .kv_heads = 2, .rope_base = 50});
  expect_plain({.width = 12, .heads = 2, .kv_heads = 2, .squared_relu = true});
  expect_plain({.width = 12, .heads = 2, .kv_heads = 2, .squared_relu = true, .relu_length = 50});
  expect_plain({.width = 12, .heads = 2, .kv_heads = 2, .qk_norm = QkNorm::layernorm, .softcap = 1, .bias = true}, 1);
}

// The value of one entry changed at a position may show there and later, never before.
TEST(Attention, ALaterTokenChangesNothingBeforeIt) {
  for (const bool relu : {false, true})
    for (const auto norm : every_norm) {
      Attention layer({.width = 12, .heads = 3, .kv_heads = 3, .qk_norm = norm, .squared_relu = relu});
      Arena arena(layer, Key(1));
      const Tensor x = Key(3).normal({1, 40, 12});
      const Tensor before = layer(x).value();
      for (const std::int64_t t : {39, 33, 1}) {
        Tensor other = x.clone();
        other.slice(1, t, t + 1).fill_(5);
        const Tensor after = layer(other).value();
        EXPECT_TRUE(same_bits(before.slice(1, 0, t).contiguous(), after.slice(1, 0, t).contiguous())) << t;
        EXPECT_FALSE(same_bits(before.select(1, t).contiguous(), after.select(1, t).contiguous())) << t;
      }
    }
}

TEST(Attention, NamesItsParametersAndTheirSizes) {
  const auto shapes = [](const AttentionLayerOptions& o) {
    Attention layer(o);
    std::string text;
    for (const Parameter* p : layer.parameters())
      text += fmt::format("{} {} {} {}<-{}; ", p->name, to_string(p->shape), name_of(p->role), p->fan_out, p->fan_in);
    return text;
  };
  EXPECT_EQ(shapes({.width = 12, .heads = 6, .kv_heads = 2, .rope = true}),
            "q.weight [12,12] hidden 12<-12; k.weight [4,12] hidden 4<-12; v.weight [4,12] hidden 4<-12; "
            "out.weight [12,12] hidden 12<-12; ");
  EXPECT_THAT(shapes({.width = 12, .heads = 6, .kv_heads = 2, .bias = true}),
              HasSubstr("k.weight [4,12] hidden 4<-12; k.bias [4] vector 4<-1; "));
  const auto gains = [&](QkNorm norm) { return shapes({.width = 12, .heads = 6, .kv_heads = 2, .qk_norm = norm}); };
  EXPECT_THAT(gains(QkNorm::layernorm), HasSubstr("q_gain [2] vector 2<-1; k_gain [2] vector 2<-1; "));
  EXPECT_THAT(gains(QkNorm::rmsnorm_full), HasSubstr("q_gain [12] vector 12<-1; k_gain [4] vector 4<-1; "));
  EXPECT_THAT(gains(QkNorm::l2), HasSubstr("q_gain [1] vector 1<-1; k_gain [1] vector 1<-1; "));
  EXPECT_THAT(gains(QkNorm::kappa), testing::Not(HasSubstr("gain")));
}

TEST(Attention, LargestLogitOfKappaIsKappaTimesTheRootOfD) {
  Attention layer({.width = 32, .heads = 4, .kv_heads = 4, .qk_norm = QkNorm::kappa, .kappa = 5});
  Arena arena(layer, Key(1), DType::f64);
  AttentionTrace trace;
  layer(Key(3).normal({4, 50, 32}, 0, 100, DType::f64), &trace);
  const auto z = trace.max_logit.to_vector<double>();
  const double bound = 5 * std::sqrt(8.0);
  EXPECT_LE(*std::max_element(z.begin(), z.end()), bound * (1 + 1e-9));
  EXPECT_GT(*std::max_element(z.begin(), z.end()), 0.8 * bound);  // 800 chances to come near
}

TEST(Attention, MistakesAreNamedWithTheWayOut) {
  EXPECT_THAT(error_of([] { Attention({.width = 10, .heads = 3}); }), HasSubstr("3 heads do not divide a width of 10"));
  EXPECT_THAT(error_of([] { Attention({.width = 12, .heads = 4, .kv_heads = 3}); }),
              HasSubstr("3 key heads do not divide 4 heads"));
  EXPECT_THAT(error_of([] { Attention({.width = 12, .heads = 4}); }),
              HasSubstr("rotary positions need an even head dimension, not 3"));
  EXPECT_THAT(error_of([] { Attention({.width = 8, .heads = 4, .kappa = 0}); }), HasSubstr("kappa must be positive"));
  EXPECT_THAT(error_of([] { parse_qk_norm("layer"); }), HasSubstr("\"layer\" is not a qk_norm"));
  try {
    Attention({.width = 10, .heads = 3});
  } catch (const UserError& e) {
    EXPECT_THAT(e.hint(), HasSubstr("model.heads"));
  }
}

TEST(Mlp, EveryActivationIsItsFormula) {
  for (const std::string name : {"gelu", "gelu_tanh", "relu", "silu", "swiglu"})
    for (const bool bias : {false, true}) {
      Mlp layer(5, 11, parse_activation(name), bias);
      Arena arena(layer, Key(1), DType::f64);
      plain::scramble(arena, Key(2));
      const Tensor x = Key(3).normal({4, 5}, 0, 2, DType::f64);
      const Rows want = plain::mlp(Rows(x), plain::Weights(layer), "", name);
      const auto got = layer(x).value().to_vector<double>();
      for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want.v[i], 1e-12) << name << " at " << i;
      EXPECT_EQ(layer.parameters().size(), (name == "swiglu" ? 3u : 2u) * (bias ? 2 : 1));
    }
}

}  // namespace
}  // namespace plumb::nn
