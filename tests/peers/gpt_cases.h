// Transformers that an independent framework computes too (tests/peers/gpt_in_pytorch.py): their options, and weights and
// tokens by a formula in integers, so that the reference needs to hold neither.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "alignment/supervised/language_model.h"
#include "models/gpt.h"

namespace plumb::peers {

struct GptCase {
  std::string name;
  models::GptOptions options;
  std::int64_t rows, length;
};

// The options of the first cases, together every one that changes the formula; `scale` multiplies the sizes.
inline std::vector<GptCase> gpt_cases(std::int64_t scale) {
  using models::NormPlacement;
  using models::Positions;
  using nn::QkNorm;
  const models::GptOptions base{
      .vocab = 7 * scale, .width = 8 * scale, .layers = 2, .heads = 2, .context = 6 * scale, .mlp_ratio = 1.5};
  std::vector<GptCase> all;
  const auto add = [&](const std::string& name, auto&& change) {
    all.push_back({name, base, scale == 1 ? 2 : 4, base.context - 1});
    change(all.back().options);
  };
  // The cap matters here: softmax alone does not feel a bias of the keys, whose gradient would be rounding.
  add("learned positions, biases, tied head, capped attention", [](auto& o) {
    o.positions = Positions::learned, o.bias = true, o.tied_head = true, o.embedding_norm = true;
    o.attn_softcap = 0.5;
  });
  add("grouped queries, qk layernorm, swiglu, softcaps, 1/d", [](auto& o) {
    o.kv_heads = 1, o.qk_norm = QkNorm::layernorm, o.activation = nn::Activation::swiglu;
    o.attn_softcap = 0.5, o.final_softcap = 2, o.attn_scale = nn::AttnScale::d;
  });
  add("rmsnorm after each branch, qk rmsnorm, tanh gelu", [](auto& o) {
    o.norm = nn::NormKind::rmsnorm, o.norm_placement = NormPlacement::post_sublayer, o.qk_norm = QkNorm::rmsnorm;
    o.activation = nn::Activation::gelu_tanh;
  });
  add("sandwich, unit offset, qk layernorm over all heads, silu", [](auto& o) {
    o.norm = nn::NormKind::rmsnorm, o.norm_placement = NormPlacement::sandwich, o.norm_unit_offset = true;
    o.qk_norm = QkNorm::layernorm_full, o.activation = nn::Activation::silu;
  });
  add("deepnorm, layer scale, qk rmsnorm over all heads", [](auto& o) {
    o.norm_placement = NormPlacement::deepnorm, o.layer_scale = 0.5, o.qk_norm = QkNorm::rmsnorm_full;
  });
  add("unit queries and keys, multipliers, no positions", [](auto& o) {
    o.qk_norm = QkNorm::l2, o.positions = Positions::none, o.embed_multiplier = 3, o.logit_multiplier = 0.25;
  });
  add("kappa, fixed scale, relu", [scale](auto& o) {  // logits grow with the heads; the scale keeps them in reach
    o.qk_norm = QkNorm::kappa, o.kappa = 2;
    o.attn_scale = nn::AttnScale::fixed, o.attn_scale_value = 0.8 / static_cast<double>(scale);
    o.activation = nn::Activation::relu;
  });
  add("squared relu attention", [](auto& o) { o.squared_relu_attention = true, o.rope_base = 100; });
  return all;
}

inline constexpr alignment::LanguageModel objective{.z_loss = 0.01, .z_target = 0.5};

// In (-1/2, 1/2); every number a different place of a full period of a linear congruence.
inline double scattered(std::int64_t i) { return static_cast<double>(((i + 1) * 7919) % 100003) / 100003 - 0.5; }

// Gains near where they start, all others as wide as their initialisation says.
inline void fill(nn::Arena& arena) {
  std::int64_t next = 0;
  for (const auto& slot : arena.slots()) {
    const auto& p = *slot.parameter;
    const bool vector = p.role == nn::Role::vector;
    const double start = !vector || p.init.draw == nn::Draw::zeros ? 0
                         : p.init.draw == nn::Draw::ones           ? 1
                                                                   : p.init.scale;
    const double spread = vector ? 0.6 : p.init.scale * std::sqrt(12.0);
    std::vector<double> values;
    for (std::int64_t i = 0; i < slot.count; ++i) values.push_back(start + spread * scattered(next++));
    arena.value(slot).copy_(Tensor::from(values, p.shape));
  }
}

inline Tensor tokens_of(const GptCase& c) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < c.rows * c.length; ++i)
    out.push_back((i * i * 31 + i * 17 + 3) % 1009 % c.options.vocab);
  return Tensor::from(out, {c.rows, c.length});
}

// The token that follows, and every fifth does not count.
inline Tensor labels_of(const GptCase& c) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < c.rows * c.length; ++i)
    out.push_back(i % 5 == 4 ? -100 : (i * i * 13 + i * 29 + 5) % 1013 % c.options.vocab);
  return Tensor::from(out, {c.rows, c.length});
}

struct GptAnswer {
  double loss = 0;
  Tensor logits;  // [B, T, V]
  std::vector<std::pair<std::string, Tensor>> weights, grads;
};

// What Plumb says: forward, objective and backward, as the training loop does it.
inline GptAnswer answer_of(const GptCase& c, DType dtype) {
  models::Gpt model(c.options);
  nn::Arena arena(model, Key(0), dtype);
  fill(arena);
  GptAnswer out;
  out.logits = model.logits(tokens_of(c)).value();
  const Tensor labels = labels_of(c);
  arena.zero_grads();
  const auto outcome = objective(model.token_logprobs(tokens_of(c), labels), labels);
  out.loss = outcome.value();
  alignment::backward(outcome);
  arena.finish_grads();
  for (const auto& slot : arena.slots()) {
    out.weights.emplace_back(slot.parameter->name, arena.value(slot).clone());
    out.grads.emplace_back(slot.parameter->name, arena.grad(slot).clone());
  }
  return out;
}

}  // namespace plumb::peers
