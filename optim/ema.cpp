// Exponential moving average of the parameters.
#include "optim/ema.h"

#include "core/tensor_ops.h"

namespace plumb::optim {

using kernels::Binary;

Ema::Ema(const nn::Arena& arena, double decay) : arena_(arena), decay_(decay), values_(arena.values().clone()) {
  if (!(decay >= 0 && decay < 1)) throw UserError(fmt::format("an EMA decay of {} is outside [0, 1)", decay), "ema");
}

void Ema::update() {
  const Tensor kept = kernels::scalar("ema", Binary::mul, values_, decay_);
  values_.copy_(
      kernels::binary("ema", Binary::add, kept, kernels::scalar("ema", Binary::mul, arena_.values(), 1 - decay_)));
}

void Ema::swap_with_parameters() {
  const Tensor held = values_.clone();
  values_.copy_(arena_.values());
  arena_.values().copy_(held);
}

}  // namespace plumb::optim
