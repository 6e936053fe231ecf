// Exponential moving average of the parameters.
#pragma once

#include "nn/module.h"

namespace plumb::optim {

class Ema {
 public:
  Ema(const nn::Arena& arena, double decay);  // starts as a copy of the parameters; UserError outside [0, 1)
  void update();                              // average <- decay * average + (1 - decay) * parameters
  Tensor values() const { return values_; }   // laid out as the arena
  // Exchanges the average with the parameters: once to evaluate with it, once to go on.
  void swap_with_parameters();

 private:
  const nn::Arena& arena_;
  double decay_;
  Tensor values_;
};

}  // namespace plumb::optim
