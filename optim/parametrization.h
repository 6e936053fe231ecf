// Parametrizations: how first values, learning rates and multipliers follow the width and the depth of a model, so that a
// learning rate found on a small one serves a large one. Variants of arXiv 2309.14322; tables of Tensor Programs V
// (2203.03466); u-muP (2407.17465); rules of depth: 2310.02244 and 2505.01618.
#pragma once

#include <cstdint>

#include "core/fields.h"
#include "nn/module.h"

namespace plumb::optim {

enum class Parametrization { sp, mup_simple, mup_intermediate, mup_full, mup_table3, mup_table8, mup_table9, u_mup };
enum class DepthRule { none, sqrt, completep };

struct Scaling {
  Parametrization parametrization = Parametrization::sp;
  DepthRule depth_rule = DepthRule::none;
  std::int64_t base_width = 64, base_heads = 0, base_layers = 1;
  bool sgd = false;  // updates are as large as gradients, not of a size of their own; the optimiser decides

  bool is_standard() const { return parametrization == Parametrization::sp && depth_rule == DepthRule::none; }
  void fields(Fields& f);  // all but sgd
};

// What becomes of one parameter. `init` is its scale: a standard deviation, or the constant it starts from.
struct Scales {
  double init = 1, lr = 1, forward = 1, decay = 1;
};
// `base` is the same parameter in the model of base width, `layers` the number of blocks. Decay that is coupled to the
// learning rate stays what it was: its factor undoes that of the rate.
Scales scales_of(const nn::Parameter& p, const nn::Parameter& base, const Scaling& s, std::int64_t layers);

// What products of queries and keys are multiplied by.
double attention_scale(const Scaling& s, std::int64_t head_dim, std::int64_t base_head_dim);
inline bool has_zero_queries(const Scaling& s) { return s.parametrization == Parametrization::mup_full; }

// x <- skip x + branch f(x) for branch number i = 0, 1, ..., 2 layers - 1.
struct Residual {
  double skip = 1, branch = 1;
};
Residual residual_of(const Scaling& s, std::int64_t layers, std::int64_t i);

// Scales every parameter of a module; `base` is the same module at the base width. Before its arena is made.
void parametrise(nn::Module& module, nn::Module& base, const Scaling& s, std::int64_t layers = 1);

}  // namespace plumb::optim
