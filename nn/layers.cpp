// The basic layers.
#include "nn/layers.h"

#include <cmath>

#include "core/tensor_ops.h"

namespace plumb::nn {
namespace {

Shape with_runs(std::int64_t runs, Shape shape) {
  if (runs) shape.insert(0, runs);
  return shape;
}

Parameter vector_of(std::int64_t n, std::int64_t runs, double start) {
  return {.shape = with_runs(runs, {n}),
          .role = Role::vector,
          .fan_in = 1,
          .fan_out = n,
          .init = {start == 0 ? Draw::zeros : Draw::ones, 1},
          .decays = false,
          .var = {},
          .name = {}};
}

}  // namespace

Linear::Linear(std::int64_t in, std::int64_t out, const LinearOptions& o) : has_bias_(o.bias) {
  if (in < 1 || out < 1) throw UserError(fmt::format("a linear layer from {} to {} makes no sense", in, out), "linear");
  weight_parameter = {.shape = with_runs(o.runs, {out, in}),
                      .role = o.role,
                      .fan_in = in,
                      .fan_out = out,
                      .init = {Draw::truncated_normal, o.std > 0 ? o.std : 1 / std::sqrt(static_cast<double>(in))},
                      .decays = true,
                      .var = {},
                      .name = {}};
  if (has_bias_) bias_parameter = vector_of(out, o.runs, 0);
}

void Linear::members(Members& m) {
  m("weight", weight_parameter);
  if (has_bias_) m("bias", bias_parameter);
}

Var Linear::operator()(const Var& x) const {
  const double w = weight_parameter.multiplier, b = has_bias_ ? bias_parameter.multiplier : w;
  return scaled(linear(scaled(x, w / b), weight(), bias_parameter.var), b);
}

Embedding::Embedding(std::int64_t vocab, std::int64_t width, double std, std::int64_t runs) {
  table = {.shape = with_runs(runs, {vocab, width}),
           .role = Role::input,
           .fan_in = vocab,
           .fan_out = width,
           .init = {Draw::normal, std},
           .decays = true,
           .lookup = true,
           .var = {},
           .name = {}};
}

Norm::Norm(std::int64_t width, const NormLayerOptions& o) : options_(o) {
  gain = vector_of(width, o.runs, o.unit_offset ? 0 : 1);
  if (o.bias) bias = vector_of(width, o.runs, 0);
}

void Norm::members(Members& m) {
  m("gain", gain);
  if (options_.bias) m("bias", bias);
}

Var Norm::operator()(const Var& x) const {
  const double m = gain.multiplier;  // the bias, a vector of the same length, has the same
  return scaled(normalise(x, gain.var, bias.var,
                          {.center = options_.kind == NormKind::layernorm,
                           .eps = options_.eps,
                           .gain_offset = options_.unit_offset ? 1 / m : 0.0}),
                m);
}

Var dropout(const Var& x, double p, const Key& key) {
  if (!(p >= 0 && p < 1)) fail("dropout", "probability {} is outside [0, 1)", p);
  if (p == 0) return x;
  const Tensor draws = key.uniform(x.shape(), 0, 1, DType::f32, x.device());
  const Tensor kept = kernels::scalar("dropout", kernels::Binary::less_equal, draws, p, true);
  return where(kept, x * (1 / (1 - p)), Var(Tensor::scalar(0, x.dtype(), x.device())));
}

Conv2d::Conv2d(std::int64_t in, std::int64_t out, int kernel, int stride, int padding)
    : stride_(stride), padding_(padding) {
  const std::int64_t fan_in = in * kernel * kernel;
  weight = {.shape = {out, in, kernel, kernel},
            .role = Role::hidden,
            .fan_in = fan_in,
            .fan_out = out,
            .init = {Draw::truncated_normal, 1 / std::sqrt(static_cast<double>(fan_in))},
            .decays = true,
            .var = {},
            .name = {}};
  bias = vector_of(out, 0, 0);
}

void Conv2d::members(Members& m) {
  m("weight", weight);
  m("bias", bias);
}

Activation parse_activation(const std::string& name) {
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_tanh") return Activation::gelu_tanh;
  if (name == "relu") return Activation::relu;
  if (name == "silu") return Activation::silu;
  if (name == "swiglu") return Activation::swiglu;
  throw UserError(fmt::format("\"{}\" is not an activation", name), "mlp", "use gelu, gelu_tanh, relu, silu or swiglu");
}

Var activate(Activation kind, const Var& x) {
  switch (kind) {
    case Activation::gelu: return gelu(x);
    case Activation::gelu_tanh: return gelu_tanh(x);
    case Activation::relu: return relu(x);
    case Activation::silu: return silu(x);
    case Activation::swiglu: break;
  }
  throw Bug("swiglu is not a function of one input");
}

}  // namespace plumb::nn
