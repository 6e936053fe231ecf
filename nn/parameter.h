// Parameters: named tensors that are trained, with what initialisation and muP need to know of them.
#pragma once

#include <string>
#include <vector>

#include "autograd/var.h"
#include "core/random.h"

namespace plumb::nn {

// Which dimensions grow with the width of the model (Tensor Programs V): input: only fan_out (embeddings); hidden: both;
// output: only fan_in (the head); vector: gains and biases.
enum class Role { input, hidden, output, vector };
const char* name_of(Role role);

enum class Draw { zeros, ones, constant, normal, truncated_normal, uniform };
struct Init {
  Draw draw = Draw::zeros;
  double scale = 1;  // standard deviation; half-width of uniform; the constant
};

struct Parameter {
  Shape shape;
  Role role = Role::hidden;
  std::int64_t fan_in = 1, fan_out = 1;            // of one run
  std::int64_t base_fan_in = 0, base_fan_out = 0;  // at the base width of muP; 0 = same
  Init init;
  bool decays = true;      // weight decay applies
  bool lookup = false;     // a table: an input meets one of its rows, not a sum over fan_in
  bool in_branch = false;  // of a branch of the residual stream: what rules of depth scale
  // Set by a parametrization (optim/parametrization.h): what the forward pass reads is `var` times the first.
  double multiplier = 1, lr_multiplier = 1, decay_multiplier = 1;
  Var var;           // set by materialise(); what layers read
  std::string name;  // full path, set by materialise()
};

// A named tensor without gradient that belongs to the state of a run: checkpointed, digested, resumed.
struct State {
  Tensor value;
  std::string name;
};

}  // namespace plumb::nn
