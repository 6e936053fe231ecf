// Parametrizations of whole models: which ones are the same, what stays as it is, and what a wrong choice is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/backward.h"
#include "models/gpt_scaling.h"
#include "models/mlp.h"
#include "optim/optimizer.h"
#include "tests/files_support.h"

namespace plumb::models {
namespace {

using optim::DepthRule;
using optim::Parametrization;
using optim::Scaling;
using test::error_of;
using testing::HasSubstr;

constexpr Parametrization tables[] = {Parametrization::mup_table3, Parametrization::mup_table8,
                                      Parametrization::mup_table9};

Tensor some_tokens() {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < 4 * 9; ++i) out.push_back((i * i + 3 * i) % 11);
  return Tensor::from(out, {4, 9});
}

GptOptions small(const Scaling& s) {
  return {.vocab = 11, .width = 32, .layers = 2, .heads = 2, .context = 9, .bias = true, .scaling = s};
}

// Log-probabilities after each of three updates. Clipping would see gradients of other sizes, eps too.
std::vector<Tensor> trained(const GptOptions& options, optim::Rule rule) {
  Gpt model(options);
  nn::Arena arena(model, Key(1), DType::f64);
  optim::Optimizer optimizer(arena, {.rule = rule, .eps = 1e-200, .weight_decay = 0.01, .clip_norm = 0});
  std::vector<Tensor> out;
  for (int step = 0; step < 3; ++step) {
    arena.zero_grads();
    const Var logps = model.token_logprobs(some_tokens(), some_tokens());
    backward(mean(select(logps, 0, 0)) * -1.0);
    arena.finish_grads();
    optimizer.step(0.125, 0.125);
    out.push_back(model.token_logprobs(some_tokens(), some_tokens()).value().clone());
  }
  return out;
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!same_bits(a[i], b[i])) return false;
  return true;
}

// Identity 7: a factor moved between first values, learning rates and the forward pass. The ratio of widths is 4, and
// its root 2, so that it is exact; also for a table that is embedding and head at once, where there is one.
TEST(Scaling, TheTablesOfTensorProgramsAreOneParametrizationToTheBit) {
  for (const bool sgd : {false, true}) {
    const optim::Rule rule = sgd ? optim::Rule::sgd : optim::Rule::adamw;
    std::vector<std::vector<Tensor>> by_table;
    for (const Parametrization p : tables)
      by_table.push_back(trained(small({.parametrization = p, .base_width = 8, .sgd = sgd}), rule));
    EXPECT_TRUE(same(by_table[0], by_table[1])) << "sgd " << sgd;
    EXPECT_TRUE(same(by_table[0], by_table[2])) << "sgd " << sgd;
    EXPECT_FALSE(same(by_table[0], trained(small({}), rule)));
  }
}

TEST(Scaling, TheBaseModelIsLeftAsItIs) {
  const auto plain = trained(small({}), optim::Rule::adamw);
  for (const Parametrization p : {Parametrization::mup_simple, Parametrization::mup_intermediate, tables[0], tables[1],
                                  tables[2], Parametrization::mup_full}) {
    GptOptions o = small({.parametrization = p, .base_width = 32, .base_layers = 2});
    for (const DepthRule depth : {DepthRule::none, DepthRule::sqrt, DepthRule::completep}) {
      o.scaling.depth_rule = depth;
      EXPECT_EQ(same(plain, trained(o, optim::Rule::adamw)), p != Parametrization::mup_full);
    }
  }
}

TEST(Scaling, APerceptronFollowsTheSameRules) {
  const auto card = [](Parametrization p) {
    Mlp model({.widths = {16, 64, 64, 10}, .bias = false, .scaling = {.parametrization = p, .base_width = 16}});
    std::string text;
    for (const nn::Parameter* q : model.parameters())
      text += fmt::format("{} {} {}; ", q->init.scale, q->lr_multiplier, q->multiplier);
    return text;
  };
  EXPECT_EQ(card(Parametrization::sp), "0.25 1 1; 0.125 1 1; 0.125 1 1; ");
  EXPECT_EQ(card(Parametrization::mup_simple), "0.25 1 1; 0.125 0.25 1; 0.125 0.25 1; ");
  EXPECT_EQ(card(Parametrization::mup_full), "0.25 1 1; 0.125 0.25 1; 0.0625 0.25 1; ");
  EXPECT_EQ(card(Parametrization::mup_table3), "0.25 1 1; 0.125 0.25 1; 0.0625 0.25 1; ");
  EXPECT_EQ(card(Parametrization::mup_table8), "0.25 1 1; 0.125 0.25 1; 0.25 1 0.25; ");
  EXPECT_EQ(card(Parametrization::mup_table9), "0.125 0.5 2; 0.125 0.25 1; 0.125 0.5 0.5; ");
  EXPECT_EQ(card(Parametrization::u_mup), "1 0.25 0.25; 1 0.125 0.125; 1 1 0.015625; ");
}

// Twice as many heads at twice the width are heads of the same size.
TEST(Scaling, HeadsMayGrowWithTheWidthInPlaceOfTheirSize) {
  GptOptions o{.width = 128, .heads = 8, .kv_heads = 4};
  o.scaling = {.parametrization = Parametrization::mup_table8, .base_width = 32, .base_heads = 2};
  EXPECT_EQ(attention_scale_of(o), 0.25);
  EXPECT_EQ(base_of(o).heads, 2);
  EXPECT_EQ(base_of(o).kv_heads, 1);
  o.scaling.base_heads = 8;
  EXPECT_EQ(attention_scale_of(o), 0.125);
  o.attn_scale = nn::AttnScale::d;
  EXPECT_EQ(attention_scale_of(o), std::nullopt);
}

// How far a few updates of Adam or SGD move the stream, as a slope of log2 against log2 depth.
double slope_with_depth(const Scaling& s) {
  std::vector<double> moved;
  for (const std::int64_t layers : {3, 12}) {
    GptOptions o = small(s);
    o.width = 16, o.layers = layers, o.embed_std = 1;  // a stream that branches do not outweigh
    Gpt model(o);
    nn::Arena arena(model, Key(1), DType::f64);
    for (const auto& slot : arena.slots())  // what depth does, not embedding and head
      if (!slot.parameter->in_branch) slot.parameter->lr_multiplier = 0;
    optim::Optimizer optimizer(arena,
                               {.rule = s.sgd ? optim::Rule::sgd : optim::Rule::adamw, .eps = 1e-200, .clip_norm = 0});
    const Tensor before = model.logits(some_tokens()).value().clone();
    arena.zero_grads();
    backward(mean(select(model.token_logprobs(some_tokens(), some_tokens()), 0, 0)) * -1.0);
    arena.finish_grads();
    const double lr = s.sgd ? 1e-3 : 1e-5;
    optimizer.step(lr, lr);
    moved.push_back(mean(abs(model.logits(some_tokens()) - Var(before))).item());
  }
  return std::log2(moved[1] / moved[0]) / 2;
}

TEST(Scaling, RulesOfDepthMoveTheStreamAsFarAtAnyDepth) {
  for (const bool sgd : {false, true}) {
    EXPECT_GT(slope_with_depth({.sgd = sgd}), 0.3) << sgd;
    for (const DepthRule rule : {DepthRule::sqrt, DepthRule::completep})
      EXPECT_NEAR(slope_with_depth({.depth_rule = rule, .sgd = sgd}), 0, 0.15) << sgd << static_cast<int>(rule);
  }
}

TEST(Scaling, WhatDoesNotGoTogetherIsRefused) {
  const auto refusal = [](const Scaling& s, auto&& change) {
    GptOptions o = small(s);
    change(o);
    return error_of([&] { Gpt model(o); });
  };
  const auto nothing = [](GptOptions&) {};
  const auto tied = [](GptOptions& o) { o.tied_head = true; };
  for (const Parametrization p : {Parametrization::mup_table3, Parametrization::mup_simple, Parametrization::u_mup})
    EXPECT_THAT(refusal({.parametrization = p}, tied), HasSubstr("learning rates of their own"));
  EXPECT_EQ(refusal({.parametrization = Parametrization::mup_table9}, tied), "");
  EXPECT_THAT(refusal({.parametrization = Parametrization::mup_simple, .base_width = 17}, nothing),
              HasSubstr("stability.base_width must be a multiple of the 2 heads of the base model, not 17"));
  EXPECT_THAT(refusal({.parametrization = Parametrization::mup_simple, .base_width = 18}, nothing),
              HasSubstr("2 heads of 9, but rotary positions need an even number"));
  EXPECT_EQ(refusal({.parametrization = Parametrization::u_mup, .base_width = 17}, nothing), "");
  EXPECT_THAT(refusal({.parametrization = Parametrization::mup_table8, .base_width = 60, .base_heads = 3},
                      [](GptOptions& o) { o.kv_heads = 1; }),
              HasSubstr("stability.base_heads must be a multiple of 2, not 3"));
  EXPECT_THAT(refusal({.parametrization = Parametrization::u_mup}, [](GptOptions& o) { o.embed_std = 0.1; }),
              HasSubstr("standard deviation of one"));
  EXPECT_THAT(refusal({.parametrization = Parametrization::u_mup, .depth_rule = DepthRule::sqrt}, nothing),
              HasSubstr("rule of depth of its own"));
  EXPECT_THAT(
      refusal({.depth_rule = DepthRule::sqrt}, [](GptOptions& o) { o.norm_placement = NormPlacement::deepnorm; }),
      HasSubstr("deepnorm"));
}

}  // namespace
}  // namespace plumb::models
