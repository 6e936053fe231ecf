// A multi-layer perceptron.
#include "models/mlp.h"

namespace plumb::models {

Mlp::Mlp(const MlpOptions& o) : o_(o) {
  if (o.widths.size() < 2) throw UserError("an MLP needs at least an input and an output width", "mlp");
  if (o.activation == nn::Activation::swiglu)
    throw UserError("swiglu needs a second input, which the layers of an MLP do not have", "mlp",
                    "use gelu, gelu_tanh, relu or silu");
  for (std::size_t i = 0; i + 1 < o.widths.size(); ++i) {
    const nn::Role role = i == 0 ? nn::Role::input : i + 2 == o.widths.size() ? nn::Role::output : nn::Role::hidden;
    layers_.push_back(
        std::make_unique<nn::Linear>(o.widths[i], o.widths[i + 1], nn::LinearOptions{.bias = o.bias, .role = role}));
  }
  if (o.scaling.is_standard()) return;
  MlpOptions base = o;
  base.scaling = {};
  for (std::size_t i = 1; i + 1 < base.widths.size(); ++i) base.widths[i] = o.scaling.base_width;
  Mlp at_base_width(base);
  optim::parametrise(*this, at_base_width, o.scaling);
}

std::vector<Var> Mlp::activations(const Var& x) const {
  std::vector<Var> out{x};
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Var y = (*layers_[i])(out.back());
    out.push_back(i + 1 < layers_.size() ? nn::activate(o_.activation, y) : y);
  }
  out.erase(out.begin());
  return out;
}

Var Mlp::operator()(const Var& x) const { return activations(x).back(); }

}  // namespace plumb::models
