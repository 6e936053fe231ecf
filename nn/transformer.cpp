// Attention and the two-layer network.
#include "nn/transformer.h"

#include <cmath>
#include <map>

#include "autograd/blame.h"
#include "core/tensor_ops.h"

namespace plumb::nn {

QkNorm parse_qk_norm(const std::string& name) {
  static const std::map<std::string, QkNorm> kinds{{"none", QkNorm::none},
                                                   {"layernorm", QkNorm::layernorm},
                                                   {"rmsnorm", QkNorm::rmsnorm},
                                                   {"layernorm_full", QkNorm::layernorm_full},
                                                   {"rmsnorm_full", QkNorm::rmsnorm_full},
                                                   {"l2", QkNorm::l2},
                                                   {"kappa", QkNorm::kappa}};
  if (const auto it = kinds.find(name); it != kinds.end()) return it->second;
  throw UserError(fmt::format("\"{}\" is not a qk_norm", name), "attention",
                  "use none, layernorm, rmsnorm, layernorm_full, rmsnorm_full, l2 or kappa");
}

namespace {

bool over_all_heads(QkNorm kind) { return kind == QkNorm::layernorm_full || kind == QkNorm::rmsnorm_full; }

std::int64_t head_dim_of(const AttentionLayerOptions& o) {
  if (o.heads < 1 || o.width % o.heads != 0)
    throw UserError(fmt::format("{} heads do not divide a width of {}", o.heads, o.width), "attention",
                    "choose model.heads so that model.width is a multiple of it");
  if (o.kv_heads < 1 || o.heads % o.kv_heads != 0)
    throw UserError(fmt::format("{} key heads do not divide {} heads", o.kv_heads, o.heads), "attention",
                    "choose model.kv_heads so that model.heads is a multiple of it");
  const std::int64_t d = o.width / o.heads;
  if (o.rope && d % 2 != 0)
    throw UserError(fmt::format("rotary positions need an even head dimension, not {}", d), "attention",
                    "change model.width / model.heads, or set model.positions");
  if (o.softcap < 0 || o.kappa <= 0)
    throw UserError("softcap must not be negative and kappa must be positive", "attention");
  return d;
}

Parameter qk_gain(const AttentionLayerOptions& o, std::int64_t heads, std::int64_t d) {
  Parameter p;
  p.shape = {over_all_heads(o.qk_norm) ? heads * d : d};
  if (o.qk_norm == QkNorm::l2) p.shape = {1};
  p.role = Role::vector;
  p.fan_out = p.shape[0];
  p.init = o.qk_norm == QkNorm::l2 ? Init{Draw::constant, std::pow(static_cast<double>(d), 0.25)} : Init{Draw::ones, 1};
  p.decays = false;
  return p;
}

}  // namespace

Var qk_normalise(const Var& heads, const Var& gain, QkNorm kind, double eps, double kappa) {
  const auto over_rows = [&](const Shape& rows, bool center) {
    return reshape(normalise(reshape(heads, rows), gain, {}, {.center = center, .eps = eps}), heads.shape());
  };
  // As F.normalize does it: a floor, so that a vector of zeros stays one and every other gets its length to the ulp.
  const auto inverse_root = [&](const Var& squares) { return rsqrt(clamp(squares, eps * eps, INFINITY)); };
  const std::int64_t b = heads.size(0), t = heads.size(1), h = heads.size(2), d = heads.size(3);
  switch (kind) {
    case QkNorm::none: return heads;
    case QkNorm::layernorm:
    case QkNorm::rmsnorm: return over_rows({b, t * h, d}, kind == QkNorm::layernorm);
    case QkNorm::layernorm_full:
    case QkNorm::rmsnorm_full: return over_rows({b, t, h * d}, kind == QkNorm::layernorm_full);
    case QkNorm::l2: {  // unit vectors times a learned scale; the gains multiply to it
      const Var unit = heads * inverse_root(sum(square(heads), {-1}, true));
      return gain.defined() ? unit * gain : unit;
    }
    case QkNorm::kappa: return heads * inverse_root(mean(square(heads), {-1}, true)) * std::sqrt(kappa);
  }
  throw Bug("unknown qk_norm");
}

Attention::Attention(const AttentionLayerOptions& o)
    : o_(o),
      head_dim_(head_dim_of(o)),
      q_(o.width, o.width, {.bias = o.bias, .std = o.qkv_std}),
      k_(o.width, o.kv_heads * head_dim_, {.bias = o.bias, .std = o.qkv_std}),
      v_(o.width, o.kv_heads * head_dim_, {.bias = o.bias, .std = o.qkv_std}),
      out_(o.width, o.width, {.bias = o.bias, .std = o.out_std_factor / std::sqrt(static_cast<double>(o.width))}),
      q_gain_(qk_gain(o, o.heads, head_dim_)),
      k_gain_(qk_gain(o, o.kv_heads, head_dim_)) {
  if (o.zero_queries) q_.weight_parameter.init = {Draw::zeros};
}

void Attention::members(Members& m) {
  m("q", q_);
  m("k", k_);
  m("v", v_);
  if (o_.qk_norm != QkNorm::none && o_.qk_norm != QkNorm::kappa) {
    m("q_gain", q_gain_);
    m("k_gain", k_gain_);
  }
  m("out", out_);
}

double Attention::scale() const {
  const auto d = static_cast<double>(head_dim_);
  if (o_.scale == AttnScale::fixed) return o_.scale_value;
  if (o_.qk_norm == QkNorm::l2) return 1;  // the learned gains carry it
  return o_.scale == AttnScale::d ? 1 / d : 1 / std::sqrt(d);
}

Attention::Heads Attention::project(const Var& x, const Tensor& start) const {
  const std::int64_t b = x.size(0), t = x.size(1);
  const auto heads = [&](const Linear& l, std::int64_t n) { return reshape(l(x), {b, t, n, head_dim_}); };
  const auto normalised = [&](const Var& x, const Parameter& gain) {
    return scaled(qk_normalise(x, gain.var, o_.qk_norm, o_.norm_eps, o_.kappa), gain.multiplier);
  };
  Var q = normalised(heads(q_, o_.heads), q_gain_), k = normalised(heads(k_, o_.kv_heads), k_gain_);
  if (o_.rope) {
    const RopeOptions r{.base = o_.rope_base, .rotary = head_dim_, .start = start};
    q = plumb::rope(q, r);
    k = plumb::rope(k, r);
  }
  return {q, k, heads(v_, o_.kv_heads)};
}

Var Attention::operator()(const Var& x, AttentionTrace* trace) const {
  const Scope here("attn");
  const Heads h = project(x, {});
  AttentionOptions a{.scale = scale(),
                     .softcap = o_.softcap,
                     .squared_relu = o_.squared_relu,
                     .relu_length = o_.relu_length,
                     .kv_length = {}};
  if (trace) {
    a.max_logit = &trace->max_logit;
    a.entropy = &trace->entropy;
  }
  return out_(reshape(attention(h.q, h.k, h.v, a), x.shape()));
}

Var Attention::decode(const Var& x, KvCache& cache) const {
  const NoGrad off;
  const std::int64_t t = x.size(1);
  const auto held = cache.length.to_vector<std::int64_t>();
  const Heads h = project(x, cache.length);
  std::int64_t longest = 0;
  std::vector<std::int64_t> after = held;
  for (std::size_t b = 0; b < held.size(); ++b) {
    after[b] += t;
    longest = std::max(longest, after[b]);
    if (after[b] > cache.k.size(1))
      fail("decode", "row {} would hold {} tokens but the cache has room for {}", b, after[b], cache.k.size(1));
    const auto row = static_cast<std::int64_t>(b);
    for (auto [from, into] : {std::pair{&h.k, &cache.k}, std::pair{&h.v, &cache.v}})
      into->select(0, row).slice(0, held[b], after[b]).copy_(from->value().select(0, row));
  }
  const Tensor length = Tensor::from(after, {static_cast<std::int64_t>(after.size())}).to(x.device());
  const auto seen = [&](const Tensor& c) { return Var(c.slice(1, 0, longest)); };
  return out_(reshape(attention(h.q, seen(cache.k), seen(cache.v),
                                {.scale = scale(),
                                 .softcap = o_.softcap,
                                 .squared_relu = o_.squared_relu,
                                 .relu_length = o_.relu_length,
                                 .kv_length = length}),
                      x.shape()));
}

Mlp::Mlp(std::int64_t width, std::int64_t hidden, Activation activation, bool bias, double out_std_factor)
    : activation_(activation),
      up_(width, hidden, {.bias = bias}),
      down_(hidden, width, {.bias = bias, .std = out_std_factor / std::sqrt(static_cast<double>(hidden))}) {
  if (activation == Activation::swiglu) gate_.emplace(width, hidden, LinearOptions{.bias = bias});
}

void Mlp::members(Members& m) {
  m("up", up_);
  if (gate_) m("gate", *gate_);
  m("down", down_);
}

Var Mlp::operator()(const Var& x) const {
  const Scope here("mlp");
  if (gate_) return down_(silu((*gate_)(x)) * up_(x));
  return down_(activate(activation_, up_(x)));
}

}  // namespace plumb::nn
