// The transformer under a parametrization.
#include "models/gpt_scaling.h"

#include <algorithm>

namespace plumb::models {

using optim::DepthRule;
using optim::Parametrization;

namespace {

bool has_base(const optim::Scaling& s) {
  return s.parametrization != Parametrization::sp && s.parametrization != Parametrization::u_mup;
}

std::int64_t base_heads(const GptOptions& o) { return o.scaling.base_heads ? o.scaling.base_heads : o.heads; }
std::int64_t heads_of_a_key(const GptOptions& o) {
  return o.kv_heads ? std::max<std::int64_t>(o.heads / o.kv_heads, 1) : 1;
}

Complaint base_heads_complaint(const GptOptions& o) {
  const std::int64_t width = o.scaling.base_width, heads = base_heads(o);
  if (!has_base(o.scaling)) return {};
  if (width % heads != 0)
    return {fmt::format("must be a multiple of the {} heads of the base model, not {}", heads, width),
            fmt::format("choose {}, or set stability.base_heads", (width / heads + 1) * heads)};
  if (o.positions == Positions::rope && width / heads % 2 != 0)
    return {
        fmt::format("= {} makes {} heads of {}, but rotary positions need an even number", width, heads, width / heads),
        fmt::format("choose {}, or set stability.base_heads", 2 * width)};
  return {};
}

Complaint base_keys_complaint(const GptOptions& o) {
  if (!has_base(o.scaling) || base_heads(o) % heads_of_a_key(o) == 0) return {};
  return {fmt::format("must be a multiple of {}, not {}: so many heads share a key in the model", heads_of_a_key(o),
                      base_heads(o)),
          fmt::format("choose {}", base_heads(o) * heads_of_a_key(o))};
}

// A table that is embedding and head at once can have one learning rate and one first value.
Complaint tied_complaint(const GptOptions& o) {
  const Parametrization p = o.scaling.parametrization;
  const bool one_rate =
      p == Parametrization::sp || p == Parametrization::mup_table8 || p == Parametrization::mup_table9;
  if (!o.tied_head || one_rate) return {};
  return {"gives embedding and head learning rates of their own, which model.tied_head = true cannot have",
          "use mup_table8 or mup_table9"};
}

Complaint unit_complaint(const GptOptions& o) {
  if (o.scaling.parametrization != Parametrization::u_mup) return {};
  if (o.residual_init_scaling || o.embed_std > 0)
    return {"= \"u_mup\" draws every weight with a standard deviation of one",
            "leave model.residual_init_scaling and model.embed_std at their defaults"};
  return {};
}

Complaint depth_complaint(const GptOptions& o) {
  const bool unit = o.scaling.parametrization == Parametrization::u_mup;
  if (unit && o.scaling.depth_rule != DepthRule::none)
    return {"must be \"none\" with u_mup, which has a rule of depth of its own", "use another parametrization"};
  if (o.norm_placement == NormPlacement::deepnorm && (unit || o.scaling.depth_rule != DepthRule::none))
    return {"does not go with model.norm_placement = \"deepnorm\", which scales by depth itself",
            "use norm_placement = \"pre\""};
  return {};
}

}  // namespace

GptOptions base_of(GptOptions o) {
  if (has_base(o.scaling)) {
    const std::int64_t share = heads_of_a_key(o);
    o.width = o.scaling.base_width;
    o.heads = base_heads(o);
    if (o.kv_heads) o.kv_heads = o.heads / share;
  }
  o.scaling = {};
  return o;
}

std::optional<double> attention_scale_of(const GptOptions& o) {
  // Scales that were chosen stay; those of qk_norm = l2 are learned.
  if (o.scaling.parametrization == Parametrization::sp || o.attn_scale != nn::AttnScale::sqrt_d ||
      o.qk_norm == nn::QkNorm::l2)
    return {};
  const GptOptions base = base_of(o);
  return optim::attention_scale(o.scaling, o.width / o.heads, base.width / base.heads);
}

const std::vector<ScalingRule>& scaling_rules() {
  static const std::vector<ScalingRule> rules{
      {{"stability.base_width", "stability.base_heads", "model.heads"}, base_heads_complaint},
      {{"stability.base_heads", "model.kv_heads", "model.heads"}, base_keys_complaint},
      {{"stability.parametrization", "model.tied_head"}, tied_complaint},
      {{"stability.parametrization", "model.residual_init_scaling", "model.embed_std"}, unit_complaint},
      {{"stability.depth_rule", "stability.parametrization", "model.norm_placement"}, depth_complaint}};
  return rules;
}

void require_fitting_scaling(const GptOptions& o) {
  if (o.scaling.is_standard()) return;
  if (o.heads < 1) throw UserError(fmt::format("{} heads do not divide a width of {}", o.heads, o.width), "gpt");
  for (const auto& rule : scaling_rules())
    if (const Complaint c = rule.complaint(o); !c.text.empty())
      throw UserError(rule.keys[0] + " " + c.text, "gpt", c.hint);
}

}  // namespace plumb::models
