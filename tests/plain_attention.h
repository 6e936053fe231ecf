// The attention layer and the two-layer network as plain loops in double, put together from plain_layers.h.
#pragma once

#include "nn/transformer.h"
#include "tests/plain_layers.h"

namespace plumb::plain {

struct Trace {
  Values max_logit, entropy;  // [heads, T]
};

// Queries or keys after their norm, [T, heads * d].
inline Rows qk_normalised(const Rows& x, std::int64_t d, const nn::AttentionLayerOptions& o, const Values& gain) {
  using nn::QkNorm;
  if (o.qk_norm == QkNorm::none) return x;
  const bool center = o.qk_norm == QkNorm::layernorm || o.qk_norm == QkNorm::layernorm_full;
  if (o.qk_norm == QkNorm::layernorm_full || o.qk_norm == QkNorm::rmsnorm_full)
    return normalised(x, center, o.norm_eps, gain);
  Rows y = x;
  for (std::int64_t h = 0; h * d < x.width; ++h) {
    const Rows head = head_of(x, h, d);
    const Rows even = normalised(head, center, o.norm_eps, o.qk_norm == QkNorm::l2 ? Values() : gain);
    for (std::int64_t t = 0; t < x.rows; ++t) {
      double square = 0;
      for (std::int64_t i = 0; i < d; ++i) square += head(t, i) * head(t, i);
      const double length = std::max(std::sqrt(square), o.norm_eps);
      for (std::int64_t i = 0; i < d; ++i)
        y(t, h * d + i) = o.qk_norm == QkNorm::l2 ? head(t, i) / length * gain[0]
                          : o.qk_norm == QkNorm::kappa
                              ? head(t, i) / length * std::sqrt(o.kappa * static_cast<double>(d))
                              : even(t, i);
    }
  }
  return y;
}

// `prefix` is where the layer's parameters are: "" or "blocks.0.attn.".
inline Rows attention(const Rows& x, const Weights& w, const std::string& prefix, const nn::AttentionLayerOptions& o,
                      Trace* trace = nullptr) {
  const std::int64_t d = o.width / o.heads;
  const auto project = [&](const std::string& name) {
    return linear(x, w.rows(prefix + name + ".weight"), w.values(prefix + name + ".bias"));
  };
  const Rows q = qk_normalised(project("q"), d, o, w.values(prefix + "q_gain"));
  const Rows k = qk_normalised(project("k"), d, o, w.values(prefix + "k_gain")), v = project("v");
  const double root = std::sqrt(static_cast<double>(d));
  const double scale = o.scale == nn::AttnScale::fixed ? o.scale_value
                       : o.qk_norm == nn::QkNorm::l2   ? 1
                       : o.scale == nn::AttnScale::d   ? 1 / static_cast<double>(d)
                                                       : 1 / root;
  Rows all(x.rows, o.width);
  for (std::int64_t h = 0; h < o.heads; ++h) {
    const std::int64_t shared = h / (o.heads / o.kv_heads);
    Rows qh = head_of(q, h, d), kh = head_of(k, shared, d);
    if (o.rope) qh = turned(qh, o.rope_base), kh = turned(kh, o.rope_base);
    const Rows y = attended(qh, kh, head_of(v, shared, d), scale, o.softcap,
                            !o.squared_relu ? 0 : static_cast<double>(o.relu_length ? o.relu_length : x.rows),
                            trace ? &trace->max_logit : nullptr, trace ? &trace->entropy : nullptr);
    for (std::int64_t t = 0; t < x.rows; ++t)
      for (std::int64_t i = 0; i < d; ++i) all(t, h * d + i) = y(t, i);
  }
  return linear(all, w.rows(prefix + "out.weight"), w.values(prefix + "out.bias"));
}

inline Rows mlp(const Rows& x, const Weights& w, const std::string& prefix, const std::string& activation_name) {
  const auto layer = [&](const Rows& in, const std::string& name) {
    return linear(in, w.rows(prefix + name + ".weight"), w.values(prefix + name + ".bias"));
  };
  Rows hidden = layer(x, "up");
  if (activation_name == "swiglu") {
    const Rows gate = layer(x, "gate");
    for (std::size_t i = 0; i < hidden.v.size(); ++i) hidden.v[i] *= activation("silu", gate.v[i]);
  } else {
    for (double& z : hidden.v) z = activation(activation_name, z);
  }
  return layer(hidden, "down");
}

}  // namespace plumb::plain
