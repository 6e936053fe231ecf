// The parts of a transformer block: attention and the two-layer network.
#pragma once

#include <optional>
#include <string>

#include "nn/layers.h"

namespace plumb::nn {

// Of queries and keys before their product (arXiv 2010.04245, 2302.05442); full: over all heads; kappa: to length
// sqrt(kappa d).
enum class QkNorm { none, layernorm, rmsnorm, layernorm_full, rmsnorm_full, l2, kappa };
QkNorm parse_qk_norm(const std::string& name);  // UserError lists the names
enum class AttnScale { sqrt_d, d, fixed };
// Queries or keys [B, T, H, d], normalised over each head's entries or (full) over those of all heads. l2 and kappa are
// exact: no eps is added, it only bounds the norm from below. `gain`: [d], full [H d], l2 [1]; undefined = ones.
Var qk_normalise(const Var& heads, const Var& gain, QkNorm kind, double eps = 1e-6, double kappa = 1);

struct AttentionLayerOptions {
  std::int64_t width = 64, heads = 4, kv_heads = 4;
  QkNorm qk_norm = QkNorm::none;
  AttnScale scale = AttnScale::sqrt_d;
  double scale_value = 1;  // for fixed
  double softcap = 0, kappa = 1;
  bool squared_relu = false;
  std::int64_t relu_length = 0;  // T of squared_relu's 1/sqrt(T), so that decoding agrees; 0 = that of the pass
  bool rope = true;
  double rope_base = 10000;
  double norm_eps = 1e-6;
  bool bias = false;
  double out_std_factor = 1;  // residual-init scaling of the output matrix
  double qkv_std = 0;         // 0 = 1/sqrt(fan_in)
  bool zero_queries = false;  // the query matrix starts at zero
};

// Keys and values of the tokens seen so far, an explicit value: k, v [B, capacity, Hkv, d].
struct KvCache {
  Tensor k, v;
  Tensor length;  // i64 [B], tokens held by each row
};

// What a pass may want to know besides the result.
struct AttentionTrace {
  Tensor max_logit, entropy;  // [B, H, T]; entropy in nats
};

class Attention final : public Module {
 public:
  explicit Attention(const AttentionLayerOptions& options);
  void members(Members& m) override;
  Var operator()(const Var& x, AttentionTrace* trace = nullptr) const;  // [B, T, D]
  Var decode(const Var& x, KvCache& cache) const;                       // appends x's tokens to the cache
  std::int64_t head_dim() const { return head_dim_; }

 private:
  struct Heads {
    Var q, k, v;
  };
  Heads project(const Var& x, const Tensor& start) const;
  double scale() const;

  AttentionLayerOptions o_;
  std::int64_t head_dim_;
  Linear q_, k_, v_, out_;
  Parameter q_gain_, k_gain_;
};

// width -> hidden -> width; swiglu has a third matrix.
class Mlp final : public Module {
 public:
  Mlp(std::int64_t width, std::int64_t hidden, Activation activation, bool bias = false, double out_std_factor = 1);
  void members(Members& m) override;
  Var operator()(const Var& x) const;

 private:
  Activation activation_;
  Linear up_, down_;
  std::optional<Linear> gate_;
};

}  // namespace plumb::nn
