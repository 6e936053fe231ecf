// The transformer as plain loops in double, put together from plain_layers.h and plain_attention.h.
#pragma once

#include "models/gpt.h"
#include "tests/plain_attention.h"

namespace plumb::plain {

class Gpt {
 public:
  Gpt(models::Gpt& model, std::string activation)
      : o_(model.options()), w_(model), activation_(std::move(activation)) {}

  Rows logits(const std::vector<std::int64_t>& tokens) const {
    const Rows table = w_.rows("embedding.weight");
    Rows x(static_cast<std::int64_t>(tokens.size()), o_.width);
    for (std::int64_t t = 0; t < x.rows; ++t)
      for (std::int64_t i = 0; i < x.width; ++i)
        x(t, i) = o_.embed_multiplier * table(tokens[static_cast<std::size_t>(t)], i);
    if (o_.positions == models::Positions::learned) {
      const Rows places = w_.rows("positions");
      for (std::int64_t t = 0; t < x.rows; ++t)
        for (std::int64_t i = 0; i < x.width; ++i) x(t, i) += places(t, i);
    }
    if (o_.embedding_norm) x = norm(x, "embedding_norm");
    for (std::int64_t l = 0; l < o_.layers; ++l) {
      const std::string block = "blocks." + std::to_string(l) + ".";
      x = branch(x, block, "attn", 2 * l,
                 [&](const Rows& y) { return attention(y, w_, block + "attn.", attention_options()); });
      x = branch(x, block, "mlp", 2 * l + 1, [&](const Rows& y) { return mlp(y, w_, block + "mlp.", activation_); });
    }
    Rows z = linear(norm(x, "final_norm"), o_.tied_head ? table : w_.rows("head"));
    for (double& v : z.v) {
      v *= o_.logit_multiplier * (o_.tied_head ? tied_factor() : 1);
      if (o_.final_softcap > 0) v = o_.final_softcap * std::tanh(v / o_.final_softcap);
    }
    return z;
  }

 private:
  using Rule = optim::Parametrization;

  // Of the rules that are tried: mup_full and u_mup have 1/d, table 8 and 9 sqrt(d of the base model)/d.
  double attention_scale() const {
    const auto heads = static_cast<double>(o_.heads), d = static_cast<double>(o_.width) / heads;
    const bool plain = o_.scaling.parametrization == Rule::mup_full || o_.scaling.parametrization == Rule::u_mup;
    return plain ? 1 / d : std::sqrt(static_cast<double>(o_.scaling.base_width) / heads) / d;
  }

  // What stands before the head when its table is the embedding, which has a factor of its own under table 9.
  double tied_factor() const {
    const double ratio = static_cast<double>(o_.width) / static_cast<double>(o_.scaling.base_width);
    if (o_.scaling.parametrization == Rule::mup_table9) return 1 / std::sqrt(ratio) / std::sqrt(ratio);
    return o_.scaling.parametrization == Rule::mup_table8 ? 1 / ratio : 1;
  }

  // The stream before branch number i, and the branch, as they are added.
  Rows added(Rows x, Rows y, std::int64_t i) const {
    const auto layers = static_cast<double>(o_.layers);
    double skip = 1, weight = 1;
    if (o_.scaling.depth_rule == optim::DepthRule::sqrt) weight = 1 / std::sqrt(layers);
    if (o_.scaling.depth_rule == optim::DepthRule::completep) weight = 1 / layers;
    if (o_.scaling.parametrization == Rule::u_mup) {
      const double tau =
          1 / std::sqrt(layers + std::floor((static_cast<double>(i) + 1) / 2) + static_cast<double>(i / 2));
      skip = 1 / std::sqrt(1 + tau * tau), weight = tau / std::sqrt(1 + tau * tau);
    }
    for (double& v : y.v) v *= weight;
    return plus(x, y, skip);
  }

  nn::AttentionLayerOptions attention_options() const {
    return {.width = o_.width,
            .heads = o_.heads,
            .kv_heads = o_.kv_heads ? o_.kv_heads : o_.heads,
            .qk_norm = o_.qk_norm,
            .scale = o_.scaling.parametrization == Rule::sp ? o_.attn_scale : nn::AttnScale::fixed,
            .scale_value = o_.scaling.parametrization == Rule::sp ? o_.attn_scale_value : attention_scale(),
            .softcap = o_.attn_softcap,
            .kappa = o_.kappa,
            .squared_relu = o_.squared_relu_attention,
            .relu_length = o_.context,
            .rope = o_.positions == models::Positions::rope,
            .rope_base = o_.rope_base,
            .norm_eps = o_.norm_eps};
  }

  Rows norm(const Rows& x, const std::string& name) const {
    Values gain = w_.values(name + ".gain");
    for (double& g : gain) g += o_.norm_unit_offset ? 1 : 0;
    return normalised(x, o_.norm == nn::NormKind::layernorm, o_.norm_eps, gain, w_.values(name + ".bias"));
  }

  template <class F>
  Rows branch(const Rows& x, const std::string& block, const std::string& part, std::int64_t i, F&& f) const {
    using models::NormPlacement;
    const bool before = o_.norm_placement == NormPlacement::pre || o_.norm_placement == NormPlacement::sandwich;
    Rows y = f(before ? norm(x, block + part + "_norm") : x);
    const Values gate = w_.values(block + part + "_scale");
    for (std::size_t k = 0; k < y.v.size() && !gate.empty(); ++k) y.v[k] *= gate[k % gate.size()];
    const std::string after = block + part + "_out_norm";
    if (o_.norm_placement == NormPlacement::deepnorm)
      return norm(plus(x, y, std::pow(2.0 * static_cast<double>(o_.layers), 0.25)), after);
    return added(x, o_.norm_placement == NormPlacement::pre ? y : norm(y, after), i);
  }

  models::GptOptions o_;
  Weights w_;
  std::string activation_;
};

}  // namespace plumb::plain
