// The basic layers: linear, embedding, normalisation, dropout, convolution. Layers address dimensions from the right;
// parameters may have a leading run dimension.
#pragma once

#include "autograd/ops.h"
#include "nn/module.h"

namespace plumb::nn {

// x times a number. Multipliers of parameters act on activations: a scaled copy of a weight would collect its gradient
// micro-batch by micro-batch, and lose the order of additions in which accumulation is the large batch.
inline Var scaled(const Var& x, double by) { return by == 1 ? x : x * by; }

// y = x W^T + b; weight [out, in], truncated normal of std `std` (default 1/sqrt(in)).
struct LinearOptions {
  bool bias = false;
  Role role = Role::hidden;
  double std = 0;         // 0 = 1/sqrt(fan_in)
  std::int64_t runs = 0;  // 0 = no run dimension
};
class Linear final : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, const LinearOptions& options = {});
  void members(Members& m) override;
  Var operator()(const Var& x) const;  // [..., in] -> [..., out]
  // What products read. Layers never touch `weight_parameter.var` themselves, so that views (adapters, weight norm)
  // can stand in for it.
  Var weight() const { return weight_parameter.var; }

  Parameter weight_parameter, bias_parameter;

 private:
  bool has_bias_;
};

// Rows of a table [vocab, width], normal of std `std`.
class Embedding final : public Module {
 public:
  Embedding(std::int64_t vocab, std::int64_t width, double std, std::int64_t runs = 0);
  void members(Members& m) override { m("weight", table); }
  // i64 [...] -> [..., width]; UserError for a token outside the table.
  Var operator()(const Tensor& tokens) const { return scaled(embedding(table.var, tokens), table.multiplier); }
  Parameter table;
};

enum class NormKind { layernorm, rmsnorm };
struct NormLayerOptions {
  NormKind kind = NormKind::layernorm;
  bool bias = false;
  double eps = 1e-6;
  bool unit_offset = false;  // the gain is stored as its distance from one (Gemma), so that decay pulls towards one
  std::int64_t runs = 0;
};
// Over the last dimension: (x - mean) / sqrt(variance + eps) * gain + bias (arXiv 1607.06450), or x / sqrt(mean of squares
// + eps) * gain (1910.07467).
class Norm final : public Module {
 public:
  Norm(std::int64_t width, const NormLayerOptions& options = {});
  void members(Members& m) override;
  Var operator()(const Var& x) const;  // [..., width] -> [..., width]
  Parameter gain, bias;

 private:
  NormLayerOptions options_;
};

// Zeroes entries with probability p and scales the rest by 1/(1-p); the mask is a pure function of the key. UserError
// where p is outside [0, 1).
Var dropout(const Var& x, double p, const Key& key);

// [B, C, H, W] -> [B, out, H', W'].
class Conv2d final : public Module {
 public:
  Conv2d(std::int64_t in, std::int64_t out, int kernel, int stride = 1, int padding = 0);
  void members(Members& m) override;
  Var operator()(const Var& x) const { return conv2d(x, weight.var, bias.var, stride_, padding_); }
  Parameter weight, bias;

 private:
  int stride_, padding_;
};

enum class Activation { gelu, gelu_tanh, relu, silu, swiglu };
Activation parse_activation(const std::string& name);  // UserError lists the names
Var activate(Activation kind, const Var& x);           // not swiglu, which has two inputs

}  // namespace plumb::nn
