// Activation checkpointing: keeps the inputs of a part of the model and runs it again in the backward pass.
#pragma once

#include <utility>
#include <vector>

#include "autograd/backward.h"
#include "autograd/blame.h"
#include "autograd/node.h"

namespace plumb {

// f(inputs) without keeping what f computes on the way. f must be a pure function of its inputs and of parameters;
// parameters inside collect their gradients as usual. First order into leaves; grad(create_graph) runs f on the tape.
template <class F>
Var checkpoint(F f, const std::vector<Var>& inputs) {
  Tensor value;
  {
    const NoGrad off;
    value = f(inputs).value();
  }
  // Parameters inside f are not inputs of the node, so the node must exist even when no input has a gradient yet.
  std::vector<Var> given = inputs;
  bool any = false;
  for (const auto& x : inputs) any = any || x.requires_grad();
  if (!any && !given.empty() && grad_enabled()) given[0] = Var::leaf(inputs[0].value());
  return record("checkpoint", given.data(), given.size(), std::move(value), Saves::inputs,
                [f, n = given.size()](const Saved& in, const Var& g) -> Grads {
                  std::vector<Var> again;
                  for (std::size_t i = 0; i < n; ++i) again.push_back(in[static_cast<int>(i)]);
                  if (grad_enabled()) return grad_of_composed(f, again, g);
                  for (std::size_t i = 0; i < n; ++i)
                    if (in.needs(static_cast<int>(i))) again[i] = Var::leaf(again[i].value());
                  const GradMode on(true);
                  const Blame as_outside(detail::pass_blames());
                  return detail::nested_backward(f(again), again, g);
                });
}

}  // namespace plumb
