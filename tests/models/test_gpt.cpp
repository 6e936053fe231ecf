// The transformer in every variant: forward against plain loops, backward against differences, its parameters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/backward.h"
#include "autograd/gradcheck.h"
#include "tests/files_support.h"
#include "tests/models/gpt_variants.h"
#include "tests/plain_gpt.h"

namespace plumb::models {
namespace {

using test::error_of;
using testing::HasSubstr;

Tensor tokens_of(std::int64_t rows, std::int64_t length, std::int64_t vocab, std::uint64_t seed = 5) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < rows * length; ++i)
    out.push_back(
        static_cast<std::int64_t>(Key(seed).below(static_cast<std::uint64_t>(vocab), static_cast<std::uint64_t>(i))));
  return Tensor::from(out, {rows, length});
}

TEST(Gpt, EveryVariantIsItsFormula) {
  for (const auto& [name, options, activation] : variants()) {
    SCOPED_TRACE(name);
    Gpt model(options);
    nn::Arena arena(model, Key(1), DType::f64);
    plain::scramble(arena, Key(2));
    const plain::Gpt reference(model, activation);
    const Tensor tokens = tokens_of(2, 9, 11);
    const auto got = model.logits(tokens).value().to_vector<double>();
    const auto logps = model.token_logprobs(tokens, tokens).value().to_vector<double>();
    for (std::size_t row = 0; row < 2; ++row) {
      const auto text = tokens.select(0, static_cast<std::int64_t>(row)).to_vector<std::int64_t>();
      const auto want = reference.logits(text);
      for (std::size_t t = 0; t < 9; ++t) {
        double z = 0;
        for (std::size_t v = 0; v < 11; ++v) {
          ASSERT_NEAR(got[(row * 9 + t) * 11 + v], want.v[t * 11 + v], 1e-10) << "row " << row << " at " << t;
          z += std::exp(want.v[t * 11 + v]);
        }
        ASSERT_NEAR(logps[18 + row * 9 + t], std::log(z), 1e-10);
        ASSERT_NEAR(logps[row * 9 + t], want.v[t * 11 + static_cast<std::size_t>(text[t])] - std::log(z), 1e-10);
      }
    }
  }
}

// The loss as a function of all parameters, as gradcheck wants it.
TEST(Gpt, EveryVariantHasTheGradientOfItsDifferences) {
  for (const auto& [name, variant, activation] : variants()) {
    SCOPED_TRACE(name);
    GptOptions options = variant;
    options.vocab = 5, options.width = 2 * options.heads, options.layers = std::min<std::int64_t>(options.layers, 1);
    options.norm_eps = 1e-2;  // heads of two entries: keeps norms away from their kink
    Gpt model(options);
    nn::Arena arena(model, Key(1), DType::f64);
    plain::scramble(arena, Key(2));
    std::vector<Tensor> start;
    for (const auto& s : arena.slots()) start.push_back(arena.value(s).clone());
    const Tensor tokens = tokens_of(2, 3, 5), labels = tokens_of(2, 3, 5, 6);
    const auto loss = [&](const std::vector<Var>& in) {
      for (std::size_t i = 0; i < in.size(); ++i) arena.slots()[i].parameter->var = in[i];
      return model.token_logprobs(tokens, labels);
    };
    const auto result = gradcheck(loss, start);
    EXPECT_TRUE(result.ok) << result.report;
  }
}

TEST(Gpt, CheckpointedActivationsGiveTheSameBits) {
  for (const auto& [name, options, activation] : variants()) {
    Gpt model(options);
    nn::Arena arena(model, Key(1));
    const Tensor tokens = tokens_of(2, 9, 11);
    std::vector<Tensor> grads;
    for (const bool again : {false, true}) {
      arena.zero_grads();
      backward(sum(model.token_logprobs(tokens, tokens, {.checkpoint_activations = again})));
      arena.finish_grads();
      grads.push_back(arena.grads().clone());
    }
    EXPECT_TRUE(same_bits(grads[0], grads[1])) << name;
  }
}

TEST(Gpt, ATiedHeadIsOneParameterWithBothGradients) {
  Gpt tied({.vocab = 11, .width = 12, .layers = 1, .heads = 3, .context = 9, .tied_head = true});
  Gpt apart({.vocab = 11, .width = 12, .layers = 1, .heads = 3, .context = 9});
  nn::Arena a(tied, Key(1), DType::f64), b(apart, Key(1), DType::f64);
  const auto slot = [](nn::Arena& arena, const std::string& name) {
    for (const auto& s : arena.slots())
      if (s.parameter->name == name) return s;
    throw Bug("no parameter " + name);
  };
  EXPECT_EQ(tied.parameters().size() + 1, apart.parameters().size());
  EXPECT_THROW(slot(a, "head"), Bug);
  b.value(slot(b, "head")).copy_(b.value(slot(b, "embedding.weight")));
  const Tensor tokens = tokens_of(2, 9, 11);
  for (auto [model, arena] : {std::pair{&tied, &a}, {&apart, &b}}) {
    arena->zero_grads();
    backward(sum(model->token_logprobs(tokens, tokens)));
    arena->finish_grads();
  }
  const auto both = a.grad(slot(a, "embedding.weight")).to_vector<double>();
  const auto in = b.grad(slot(b, "embedding.weight")).to_vector<double>(),
             out = b.grad(slot(b, "head")).to_vector<double>();
  for (std::size_t i = 0; i < both.size(); ++i) EXPECT_NEAR(both[i], in[i] + out[i], 1e-12 * (1 + std::abs(both[i])));
  EXPECT_NE(in, std::vector<double>(in.size(), 0));
  EXPECT_NE(out, std::vector<double>(out.size(), 0));
}

TEST(Gpt, ResidualInitScalingShrinksOnlyWhatWritesIntoTheStream) {
  const GptOptions base{.vocab = 11, .width = 64, .layers = 8, .heads = 4, .context = 9};
  GptOptions scaled = base, deep = base;
  scaled.residual_init_scaling = true;
  deep.norm_placement = NormPlacement::deepnorm;
  Gpt a(base), b(scaled), c(deep);
  nn::Arena first(a, Key(1), DType::f64), second(b, Key(1), DType::f64), third(c, Key(1), DType::f64);
  int written = 0;
  for (const nn::Parameter* p : a.parameters()) {
    if (p->role == nn::Role::vector) continue;
    const bool writes = p->name.ends_with("attn.out.weight") || p->name.ends_with("mlp.down.weight");
    written += writes;
    for (const auto& [other, factor] : {std::pair{&b, 1 / 4.0}, {&c, std::pow(64.0, -0.25)}})
      for (const nn::Parameter* q : other->parameters()) {
        if (q->name != p->name) continue;
        const auto x = p->var.value().to_vector<double>(), y = q->var.value().to_vector<double>();
        for (std::size_t i = 0; i < x.size(); ++i)
          ASSERT_NEAR(y[i], x[i] * (writes ? factor : 1), 1e-15) << p->name << " at " << i;
      }
  }
  EXPECT_EQ(written, 16);
}

TEST(Gpt, RowsAndLaterTokensDoNotReachEachOther) {
  for (const auto& [name, options, activation] : variants()) {
    Gpt model(options);
    nn::Arena arena(model, Key(1));
    const Tensor tokens = tokens_of(3, 9, 11), other = tokens_of(3, 9, 11, 77);
    const Tensor all = model.logits(tokens).value();
    EXPECT_TRUE(same_bits(model.logits(tokens.slice(0, 1, 2).contiguous()).value(), all.slice(0, 1, 2).contiguous()))
        << name;
    Tensor changed = tokens.clone();
    changed.slice(1, 5, 9).copy_(other.slice(1, 5, 9));
    EXPECT_TRUE(same_bits(model.logits(changed).value().slice(1, 0, 5).contiguous(), all.slice(1, 0, 5).contiguous()))
        << name;
  }
}

TEST(Gpt, DropoutIsForTrainingAndAFunctionOfItsKey) {
  Gpt model({.vocab = 11, .width = 12, .layers = 2, .heads = 3, .context = 9, .dropout = 0.3});
  Gpt without({.vocab = 11, .width = 12, .layers = 2, .heads = 3, .context = 9});
  nn::Arena a(model, Key(1)), b(without, Key(1));
  const Tensor tokens = tokens_of(2, 9, 11);
  const auto trained = [&](std::uint64_t key) {
    return model.logits(tokens, {.training = true, .key = Key(key)}).value();
  };
  EXPECT_TRUE(same_bits(model.logits(tokens).value(), without.logits(tokens).value()));
  EXPECT_TRUE(same_bits(trained(3), trained(3)));
  EXPECT_FALSE(same_bits(trained(3), trained(4)));
  EXPECT_FALSE(same_bits(trained(3), model.logits(tokens).value()));
}

TEST(Gpt, NamesItsParametersByTheirPlace) {
  Gpt model({.vocab = 11,
             .width = 12,
             .layers = 1,
             .heads = 3,
             .positions = Positions::learned,
             .norm_placement = NormPlacement::sandwich,
             .embedding_norm = true,
             .layer_scale = 0.1});
  std::vector<std::string> names;
  for (const auto* p : model.parameters()) names.push_back(p->name);
  EXPECT_THAT(names,
              testing::ElementsAre("embedding.weight", "positions", "embedding_norm.gain", "blocks.0.attn_norm.gain",
                                   "blocks.0.attn.q.weight", "blocks.0.attn.k.weight", "blocks.0.attn.v.weight",
                                   "blocks.0.attn.out.weight", "blocks.0.attn_out_norm.gain", "blocks.0.attn_scale",
                                   "blocks.0.mlp_norm.gain", "blocks.0.mlp.up.weight", "blocks.0.mlp.down.weight",
                                   "blocks.0.mlp_out_norm.gain", "blocks.0.mlp_scale", "final_norm.gain", "head"));
}

TEST(Gpt, MistakesAreNamed) {
  Gpt model({.vocab = 11, .width = 12, .layers = 1, .heads = 3, .context = 9});
  nn::Arena arena(model, Key(1));
  EXPECT_THAT(error_of([&] { model.logits(Tensor::of<std::int64_t>({1, 2})); }), HasSubstr("tokens must be [B, T]"));
  EXPECT_THAT(error_of([&] { model.logits(tokens_of(1, 3, 500)); }), HasSubstr("is outside [0, 11)"));
  EXPECT_THAT(error_of([] { Gpt({.vocab = 0}); }), HasSubstr("a vocabulary of 0"));
  Gpt placed({.vocab = 11, .width = 12, .layers = 1, .heads = 3, .context = 4, .positions = Positions::learned});
  nn::Arena second(placed, Key(1));
  EXPECT_THAT(error_of([&] { placed.logits(tokens_of(1, 5, 11)); }),
              HasSubstr("5 tokens do not fit learned positions for 4"));
}

}  // namespace
}  // namespace plumb::models
