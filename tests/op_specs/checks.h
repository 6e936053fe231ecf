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

void expect_values(const Case& c, DType dtype, const std::vector<Tensor>& inputs);  // those of the reference
std::int64_t entries(const Case& c);                                                // of its floating inputs

// The same values in other strides; what lies between them must never be read.
Tensor transposed(const Tensor& t);
Tensor strided(const Tensor& t);
Tensor expanded(const Tensor& t);  // other values: those of the first entry along the first axis, with stride 0

void generated(const Spec& s);  // generated.cpp
void special_values(const Spec& s);
void blamed(const Spec& s);

void count_case();  // one more was tried

}  // namespace plumb::specs
