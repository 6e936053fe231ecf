// Backward passes: gradients into leaves (training), or as values (grad, also differentiable ones).
#pragma once

#include <vector>

#include "autograd/var.h"

namespace plumb {

// A term of a loss and what it is multiplied by (undefined seed = ones; scalars only then).
struct Root {
  Var value;
  Tensor seed;
};

// Adds the gradients of all roots to the leaves they depend on. Saved values are freed on the way unless `retain`.
void backward(const std::vector<Root>& roots, bool retain = false);
void backward(const Var& loss, bool retain = false);

// Gradients of sum(seed * value) with respect to `inputs` (leaves or intermediate values), leaving leaves untouched.
// create_graph: the results are differentiable themselves. An input that does not matter gets zeros.
std::vector<Var> grad(const std::vector<Var>& values, const std::vector<Var>& inputs, bool create_graph = false,
                      const std::vector<Var>& seeds = {});
inline std::vector<Var> grad(const Var& value, const std::vector<Var>& inputs, bool create_graph = false) {
  return grad(std::vector<Var>{value}, inputs, create_graph);
}

// Differentiates a composition in place of a fused rule: what a fused operator's rule returns when its gradient must
// itself be differentiable. `composed` maps the inputs to the operator's value.
template <class F>
std::vector<Var> grad_of_composed(F&& composed, const std::vector<Var>& inputs, const Var& g);

namespace detail {
bool pass_blames();              // whether the running pass inspects gradients
Var pass_through(const Var& x);  // a new node with the same value
// A backward pass inside a rule: gradients of value into parameters (as part of the running pass) and as results for inputs.
std::vector<Var> nested_backward(const Var& value, const std::vector<Var>& inputs, const Var& g);
}  // namespace detail

template <class F>
std::vector<Var> grad_of_composed(F&& composed, const std::vector<Var>& inputs, const Var& g) {
  std::vector<Var> fresh;
  for (const auto& x : inputs) fresh.push_back(x.requires_grad() ? detail::pass_through(x) : x);
  const Var value = composed(fresh);
  return grad({value}, fresh, true, {g});
}

}  // namespace plumb
