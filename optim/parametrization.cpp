// The rules of width and depth.
#include "optim/parametrization.h"

#include <cmath>

#include "core/errors.h"

namespace plumb::optim {

using nn::Role;

void Scaling::fields(Fields& f) {
  f("parametrization", parametrization)
      .one_of({"sp", "mup_simple", "mup_intermediate", "mup_full", "mup_table3", "mup_table8", "mup_table9", "u_mup"})
      .help("how first values, learning rates and multipliers follow the width; sp: they do not");
  f("base_width", base_width)
      .at_least(1)
      .at_most(1 << 20)
      .help("width whose model a muP rule leaves as it is; u_mup needs none");
  f("base_heads", base_heads).at_least(0).help("attention heads at the base width; 0 = as many as model.heads");
  f("depth_rule", depth_rule)
      .one_of({"none", "sqrt", "completep"})
      .help("branches of the stream times depth^-1/2 with their learning rates, or times 1/depth");
  f("base_layers", base_layers).at_least(1).help("depth is model.layers over this");
}

namespace {

double as_double(std::int64_t n) { return static_cast<double>(n); }
double ratio(std::int64_t fan, std::int64_t base) { return as_double(fan) / as_double(base); }

bool is_random(nn::Draw draw) {
  return draw == nn::Draw::normal || draw == nn::Draw::truncated_normal || draw == nn::Draw::uniform;
}

// Table 3 of Tensor Programs V.
Scales table3(const nn::Parameter& p, const nn::Parameter& base, const Scaling& s) {
  const double in = ratio(p.fan_in, base.fan_in), out = ratio(p.fan_out, base.fan_out), init = base.init.scale;
  switch (p.role) {
    case Role::input:
    case Role::vector: return {.init = init, .lr = s.sgd ? out : 1};
    case Role::hidden: return {.init = init / std::sqrt(in), .lr = s.sgd ? out / in : 1 / in};
    case Role::output: return {.init = init / in, .lr = 1 / in};
  }
  throw Bug("unknown role");
}

// The same function of training, with a factor k of first values and learning rate moved into the forward pass.
Scales moved(Scales t, double k, bool sgd) {
  return {.init = t.init / k, .lr = sgd ? t.lr / (k * k) : t.lr / k, .forward = t.forward * k};
}

double factor_of_table8(const nn::Parameter& p, const nn::Parameter& base) {
  return p.role == Role::output ? 1 / ratio(p.fan_in, base.fan_in) : 1;
}

double factor_of_table9(const nn::Parameter& p, const nn::Parameter& base) {
  if (p.role == Role::hidden) return 1;
  if (p.role == Role::output) return 1 / std::sqrt(ratio(p.fan_in, base.fan_in));
  return std::sqrt(ratio(p.fan_out, base.fan_out));
}

// Weights, inputs and outputs of every product have a variance of one.
Scales unit_scales(const nn::Parameter& p, std::int64_t layers) {
  const double in = as_double(p.fan_in);
  Scales u{.init = is_random(p.init.draw) ? 1 : p.init.scale};
  if (p.role == Role::output) u.forward = 1 / in;
  else if (p.lookup) u.lr = 1 / std::sqrt(as_double(p.fan_out));
  else if (p.role != Role::vector) u.forward = u.lr = 1 / std::sqrt(in);
  if (p.in_branch) u.lr /= std::sqrt(as_double(layers));
  return u;
}

Scales scales_of_width(const nn::Parameter& p, const nn::Parameter& base, const Scaling& s, std::int64_t layers) {
  const double in = ratio(p.fan_in, base.fan_in);
  switch (s.parametrization) {
    case Parametrization::sp: return {.init = p.init.scale};
    case Parametrization::mup_simple: return {.init = p.init.scale, .lr = 1 / in};
    case Parametrization::mup_intermediate:
    case Parametrization::mup_full:
      return {.init = p.role == Role::output ? base.init.scale / in : p.init.scale, .lr = 1 / in};
    case Parametrization::mup_table3: return table3(p, base, s);
    case Parametrization::mup_table8: return moved(table3(p, base, s), factor_of_table8(p, base), s.sgd);
    case Parametrization::mup_table9: return moved(table3(p, base, s), factor_of_table9(p, base), s.sgd);
    case Parametrization::u_mup: return unit_scales(p, layers);
  }
  throw Bug("unknown parametrization");
}

double depth_of(const Scaling& s, std::int64_t layers) { return as_double(layers) / as_double(s.base_layers); }

// The sum over all branches of what an update changes in the stream stays the same at any depth. An update of Adam has
// a size of its own, and its branch shrinks it once; one of SGD is as large as its gradient, which the branch shrank
// before.
double lr_of_depth(const Scaling& s, double depth) {
  switch (s.depth_rule) {
    case DepthRule::none: return 1;
    case DepthRule::sqrt: return s.sgd ? 1 : 1 / std::sqrt(depth);
    case DepthRule::completep: return s.sgd ? depth : 1;
  }
  throw Bug("unknown rule of depth");
}

}  // namespace

Scales scales_of(const nn::Parameter& p, const nn::Parameter& base, const Scaling& s, std::int64_t layers) {
  Scales out = scales_of_width(p, base, s, layers);
  if (p.in_branch) out.lr *= lr_of_depth(s, depth_of(s, layers));
  out.decay = 1 / out.lr;
  return out;
}

double attention_scale(const Scaling& s, std::int64_t head_dim, std::int64_t base_head_dim) {
  const double d = as_double(head_dim);
  switch (s.parametrization) {
    case Parametrization::sp:
    case Parametrization::mup_simple:
    case Parametrization::mup_intermediate: return 1 / std::sqrt(d);
    case Parametrization::mup_full:
    case Parametrization::u_mup: return 1 / d;
    case Parametrization::mup_table3:
    case Parametrization::mup_table8:
    case Parametrization::mup_table9: return std::sqrt(as_double(base_head_dim)) / d;
  }
  throw Bug("unknown parametrization");
}

Residual residual_of(const Scaling& s, std::int64_t layers, std::int64_t i) {
  if (s.parametrization == Parametrization::u_mup) {
    const double tau_squared = 1 / as_double(layers + i), whole = std::sqrt(1 + tau_squared);
    return {.skip = 1 / whole, .branch = std::sqrt(tau_squared) / whole};
  }
  const double depth = depth_of(s, layers);
  if (s.depth_rule == DepthRule::sqrt) return {.branch = 1 / std::sqrt(depth)};
  return {.branch = s.depth_rule == DepthRule::completep ? 1 / depth : 1};
}

void parametrise(nn::Module& module, nn::Module& base, const Scaling& s, std::int64_t layers) {
  if (s.is_standard()) return;
  const auto parameters = module.parameters(), bases = base.parameters();
  PLUMB_ASSERT(parameters.size() == bases.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    nn::Parameter &p = *parameters[i], &b = *bases[i];
    PLUMB_ASSERT(p.name == b.name);
    const Scales scales = scales_of(p, b, s, layers);
    if (p.init.draw == nn::Draw::ones && scales.init != 1) p.init.draw = nn::Draw::constant;
    p.init.scale = scales.init;
    p.base_fan_in = b.fan_in, p.base_fan_out = b.fan_out;
    p.multiplier = scales.forward, p.lr_multiplier = scales.lr, p.decay_multiplier = scales.decay;
  }
}

}  // namespace plumb::optim
