// A multi-layer perceptron: linear layers with an activation between them.
#pragma once

#include <memory>
#include <vector>

#include "nn/layers.h"
#include "optim/parametrization.h"

namespace plumb::models {

struct MlpOptions {
  std::vector<std::int64_t> widths{16, 64, 64, 10};  // input, hidden ..., output
  nn::Activation activation = nn::Activation::relu;
  bool bias = true;
  optim::Scaling scaling{};  // with the hidden widths, which all are scaling.base_width in the base model
};

class Mlp final : public nn::Module {
 public:
  explicit Mlp(const MlpOptions& options);
  void members(nn::Members& m) override { m("layers", layers_); }
  Var operator()(const Var& x) const;  // [..., in] -> [..., out]
  // The value after each layer (hidden ones after the activation), for coordinate checks.
  std::vector<Var> activations(const Var& x) const;

 private:
  MlpOptions o_;
  std::vector<std::unique_ptr<nn::Linear>> layers_;
};

}  // namespace plumb::models
