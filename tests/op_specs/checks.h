// The tests that every spec becomes.
#pragma once

#include <vector>

#include "tests/op_specs/spec.h"

namespace plumb::specs {

using Check = void (*)(const Spec&);
struct TitledCheck {
  const char* title;
  Check check;
};
const std::vector<TitledCheck>& checks();

// What a function gives: its value, and the gradients of its floating inputs for a fixed upstream gradient.
struct Outcome {
  Tensor value;
  std::vector<Tensor> gradients;
};
Outcome run(const Function& f, const std::vector<Tensor>& inputs, bool with_gradients = true);
bool same(const Outcome& a, const Outcome& b);                                  // every bit
std::vector<Tensor> converted(const std::vector<Tensor>& inputs, DType dtype);  // the floating ones
// Largest |a - b|, over the largest |b| (or 1 where that is smaller).
double distance(const Tensor& a, const Tensor& b);

}  // namespace plumb::specs
