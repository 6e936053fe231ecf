// One block: attention and a two-layer network, each on a branch of the residual stream.
#include "models/gpt_block.h"

#include <cmath>

#include "autograd/blame.h"
#include "models/gpt_scaling.h"

namespace plumb::models {
namespace {

// What the matrices that write into the residual stream are multiplied by at the start.
double out_factor(const GptOptions& o) {
  if (o.norm_placement == NormPlacement::deepnorm) return std::pow(8.0 * static_cast<double>(o.layers), -0.25);
  return o.residual_init_scaling ? 1 / std::sqrt(2.0 * static_cast<double>(o.layers)) : 1;
}

nn::AttentionLayerOptions attention_options(const GptOptions& o) {
  const auto by_rule = attention_scale_of(o);
  return {.width = o.width,
          .heads = o.heads,
          .kv_heads = o.kv_heads ? o.kv_heads : o.heads,
          .qk_norm = o.qk_norm,
          .scale = by_rule ? nn::AttnScale::fixed : o.attn_scale,
          .scale_value = by_rule.value_or(o.attn_scale_value),
          .softcap = o.attn_softcap,
          .kappa = o.kappa,
          .squared_relu = o.squared_relu_attention,
          .relu_length = o.context,
          .rope = o.positions == Positions::rope,
          .rope_base = o.rope_base,
          .norm_eps = o.norm_eps,
          .bias = o.bias,
          .out_std_factor = out_factor(o),
          .zero_queries = optim::has_zero_queries(o.scaling)};
}

std::int64_t hidden(const GptOptions& o) {
  return std::max<std::int64_t>(1, std::llround(o.mlp_ratio * static_cast<double>(o.width)));
}

}  // namespace

Block::Block(const GptOptions& o, std::int64_t index)
    : o_(o), attention_(attention_options(o)), mlp_(o.width, hidden(o), o.activation, o.bias, out_factor(o)) {
  const bool before = o.norm_placement == NormPlacement::pre || o.norm_placement == NormPlacement::sandwich;
  const bool after = o.norm_placement != NormPlacement::pre;
  for (int i = 0; i < 4; ++i)
    if (i % 2 == 0 ? before : after)
      norms_[i] = std::make_unique<nn::Norm>(
          o.width,
          nn::NormLayerOptions{.kind = o.norm, .bias = o.bias, .eps = o.norm_eps, .unit_offset = o.norm_unit_offset});
  for (auto& g : gates_) {
    g.shape = {o.width};
    g.role = nn::Role::vector;
    g.fan_out = o.width;
    g.init = {nn::Draw::constant, o.layer_scale};
    g.decays = false;
  }
  for (int i = 0; i < 2; ++i) residual_[i] = optim::residual_of(o.scaling, o.layers, 2 * index + i);
  for (nn::Parameter* p : parameters()) p->in_branch = true;
}

void Block::members(nn::Members& m) {
  const char* names[] = {"attn_norm", "attn_out_norm", "mlp_norm", "mlp_out_norm"};
  const auto norm = [&](int i) {
    if (norms_[i]) m(names[i], *norms_[i]);
  };
  norm(0);
  m("attn", attention_);
  norm(1);
  if (o_.layer_scale > 0) m("attn_scale", gates_[0]);
  norm(2);
  m("mlp", mlp_);
  norm(3);
  if (o_.layer_scale > 0) m("mlp_scale", gates_[1]);
}

template <class F>
Var Block::branch(int which, const Var& x, F&& f) const {
  const nn::Norm *before = norms_[2 * which].get(), *after = norms_[2 * which + 1].get();
  const nn::Parameter& gate = gates_[which];
  Var y = f(before ? (*before)(x) : x);
  if (o_.layer_scale > 0) y = nn::scaled(y * gate.var, gate.multiplier);
  if (o_.norm_placement == NormPlacement::deepnorm)
    return (*after)(x * std::pow(2.0 * static_cast<double>(o_.layers), 0.25) + y);
  return nn::scaled(x, residual_[which].skip) + nn::scaled(after ? (*after)(y) : y, residual_[which].branch);
}

Var Block::operator()(const Var& x, const GptPass& pass, const Key& key, nn::AttentionTrace* trace) const {
  const auto given = [&](const Var& y, const char* where) {
    if (pass.trace) pass.trace->record(where, y);
    return pass.training && o_.dropout > 0 ? nn::dropout(y, o_.dropout, key.at(where)) : y;
  };
  const Var mid = branch(0, x, [&](const Var& y) { return given(attention_(y, trace), "attn"); });
  return branch(1, mid, [&](const Var& y) { return given(mlp_(y), "mlp"); });
}

Var Block::decode(const Var& x, nn::KvCache& cache) const {
  const Var mid = branch(0, x, [&](const Var& y) { return attention_.decode(y, cache); });
  return branch(1, mid, [&](const Var& y) { return mlp_(y); });
}

}  // namespace plumb::models
