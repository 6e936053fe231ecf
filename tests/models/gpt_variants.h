// Every option of the transformer at least once: what forward, backward and decoding are tried on.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/gpt.h"

namespace plumb::models {

struct Variant {
  std::string name;
  GptOptions options;
  std::string activation = "gelu";
};

inline std::vector<Variant> variants() {
  const GptOptions base{.vocab = 11, .width = 12, .layers = 2, .heads = 3, .context = 9, .mlp_ratio = 1.5};
  std::vector<Variant> all;
  const auto add = [&](const std::string& name, auto&& change, const std::string& activation = "gelu") {
    all.push_back({name, base, activation});
    all.back().options.activation = nn::parse_activation(activation);
    change(all.back().options);
  };
  add("plain", [](GptOptions&) {});
  for (const auto& [name, placement] : {std::pair{"post_sublayer", NormPlacement::post_sublayer},
                                        {"sandwich", NormPlacement::sandwich},
                                        {"deepnorm", NormPlacement::deepnorm}})
    for (const auto norm : {nn::NormKind::layernorm, nn::NormKind::rmsnorm})
      add(fmt::format("{} {}", name, norm == nn::NormKind::rmsnorm ? "rmsnorm" : "layernorm"),
          [&](GptOptions& o) { o.norm_placement = placement, o.norm = norm; });
  for (const auto& [name, norm] : {std::pair{"layernorm", nn::QkNorm::layernorm},
                                   {"rmsnorm", nn::QkNorm::rmsnorm},
                                   {"layernorm_full", nn::QkNorm::layernorm_full},
                                   {"rmsnorm_full", nn::QkNorm::rmsnorm_full},
                                   {"l2", nn::QkNorm::l2},
                                   {"kappa", nn::QkNorm::kappa}})
    add(fmt::format("qk_norm {}", name), [&](GptOptions& o) { o.qk_norm = norm, o.kappa = 2; });
  for (const char* kind : {"gelu_tanh", "relu", "silu", "swiglu"})
    add(
        kind, [](GptOptions&) {}, kind);
  add("grouped queries", [](GptOptions& o) { o.heads = 6, o.kv_heads = 2; });
  add("learned positions", [](GptOptions& o) { o.positions = Positions::learned; });
  add("no positions", [](GptOptions& o) { o.positions = Positions::none; });
  add("bias", [](GptOptions& o) { o.bias = true; });
  add("bias and sandwich", [](GptOptions& o) { o.bias = true, o.norm_placement = NormPlacement::sandwich; });
  add("unit offset", [](GptOptions& o) { o.norm_unit_offset = true, o.norm = nn::NormKind::rmsnorm; });
  add("tied head", [](GptOptions& o) { o.tied_head = true; });
  add("softcaps", [](GptOptions& o) { o.attn_softcap = 0.5, o.final_softcap = 2; });
  add("multipliers", [](GptOptions& o) { o.embed_multiplier = 3, o.logit_multiplier = 0.25, o.embedding_norm = true; });
  add("scale 1/d", [](GptOptions& o) { o.attn_scale = nn::AttnScale::d; });
  add("fixed scale", [](GptOptions& o) { o.attn_scale = nn::AttnScale::fixed, o.attn_scale_value = 0.8; });
  add("layer scale", [](GptOptions& o) { o.layer_scale = 0.1, o.norm_placement = NormPlacement::deepnorm; });
  add("squared relu", [](GptOptions& o) { o.squared_relu_attention = true; });
  add("table 9 of Tensor Programs", [](GptOptions& o) {
    o.bias = true, o.positions = Positions::learned, o.embedding_norm = true;
    o.scaling = {.parametrization = optim::Parametrization::mup_table9, .base_width = 24};
  });
  add("table 9, normalised queries, offset gains", [](GptOptions& o) {
    o.norm_unit_offset = true, o.layer_scale = 0.5, o.qk_norm = nn::QkNorm::rmsnorm_full, o.tied_head = true;
    o.scaling = {.parametrization = optim::Parametrization::mup_table9, .base_width = 48};
  });
  add("table 8, tied head, 1/sqrt(depth)", [](GptOptions& o) {
    o.tied_head = true, o.norm_placement = NormPlacement::sandwich;
    o.scaling = {
        .parametrization = optim::Parametrization::mup_table8, .depth_rule = optim::DepthRule::sqrt, .base_width = 24};
  });
  add("full muP, 1/depth", [](GptOptions& o) {
    o.scaling = {.parametrization = optim::Parametrization::mup_full,
                 .depth_rule = optim::DepthRule::completep,
                 .base_width = 24};
  });
  add("unit scaling", [](GptOptions& o) {
    o.bias = true, o.layer_scale = 0.5;
    o.scaling = {.parametrization = optim::Parametrization::u_mup};
  });
  add("no layers", [](GptOptions& o) { o.layers = 0; });
  return all;
}

}  // namespace plumb::models
