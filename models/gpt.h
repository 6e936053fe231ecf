// A small decoder-only transformer: pre-normalisation by default, the other placements and controls by option.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/fields.h"
#include "nn/transformer.h"
#include "optim/parametrization.h"

namespace plumb::models {

enum class Positions { rope, learned, none };
enum class NormPlacement { pre, post_sublayer, sandwich, deepnorm };

struct GptOptions {
  std::int64_t vocab = 256, width = 64, layers = 2, heads = 4, kv_heads = 0, context = 64;
  double mlp_ratio = 4;
  nn::Activation activation = nn::Activation::gelu;
  Positions positions = Positions::rope;
  double rope_base = 10000;
  nn::NormKind norm = nn::NormKind::layernorm;
  NormPlacement norm_placement = NormPlacement::pre;
  bool bias = false, norm_unit_offset = false;
  double norm_eps = 1e-6;
  nn::QkNorm qk_norm = nn::QkNorm::none;
  nn::AttnScale attn_scale = nn::AttnScale::sqrt_d;
  double attn_scale_value = 1, attn_softcap = 0, final_softcap = 0, kappa = 1;
  bool squared_relu_attention = false;
  bool tied_head = false, residual_init_scaling = false, embedding_norm = false;
  double embed_std = 0;  // 0 = 1/sqrt(width)
  double embed_multiplier = 1, logit_multiplier = 1;
  double layer_scale = 0;  // > 0: x + g * f(x), g starting there
  double dropout = 0;
  optim::Scaling scaling{};  // with width and depth: [stability]

  void fields(Fields& f);  // all but vocab, which the data decides, and scaling
};

// Statistics of one forward pass, by block, and what its parts gave: "embedding", "blocks.0.attn", "blocks.0.mlp", ...
struct GptTrace {
  struct Output {
    std::string part;
    Tensor value;
  };
  std::vector<nn::AttentionTrace> attention;
  std::vector<Output> outputs;
  void record(const char* part, const Var& value);  // within the scope that runs
};

struct GptPass {
  bool training = false;  // dropout on; `key` draws its masks
  Key key{0};
  GptTrace* trace = nullptr;
  bool checkpoint_activations = false;
};

struct GptCache {
  std::vector<nn::KvCache> blocks;
  Tensor length() const { return blocks.at(0).length; }
  void rewind(std::int64_t row);  // forgets what the row holds
};

class Block;

class Gpt final : public nn::Module {
 public:
  explicit Gpt(const GptOptions& options);
  ~Gpt() override;
  void members(nn::Members& m) override;

  // Residual stream after the final normalisation, what the head reads: tokens i64 [B, T] -> [B, T, D].
  Var features(const Tensor& tokens, const GptPass& pass = {}) const;
  Var logits(const Tensor& tokens, const GptPass& pass = {}) const;  // [B, T, V]
  // Log-probability of each label and log Z, [2, B, T]; a negative label counts for nothing.
  Var token_logprobs(const Tensor& tokens, const Tensor& labels, const GptPass& pass = {}) const;

  GptCache make_cache(std::int64_t rows, std::int64_t capacity, DType dtype = DType::f32,
                      Device device = cpu_device) const;
  // Logits [B, V] after the last of `tokens` [B, T], which are appended to the cache. The same bits as logits().
  Tensor decode(const Tensor& tokens, GptCache& cache) const;

  const GptOptions& options() const { return o_; }
  Var head_weight() const;
  // Multiply-adds of one forward pass a token, times two (the causal half of attention counted).
  double forward_flops_per_token(std::int64_t length) const;

 private:
  Var embed(const Tensor& tokens, const Tensor& start) const;
  double logit_scale() const { return o_.logit_multiplier * head_.multiplier; }

  GptOptions o_;
  nn::Embedding embedding_;
  nn::Parameter positions_;
  std::unique_ptr<nn::Norm> embedding_norm_, final_norm_;
  std::vector<std::unique_ptr<Block>> blocks_;
  nn::Parameter head_;
};

}  // namespace plumb::models
