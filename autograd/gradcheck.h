// Gradients held against central differences, in f64.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace plumb {

struct GradcheckResult {
  bool ok = true;
  double worst = 0;    // largest |difference| / (absolute + relative * |value|)
  std::string report;  // the worst entry in words
};
struct GradcheckOptions {
  double step = 1e-5, relative = 1e-6, absolute = 1e-7;
};
// f maps inputs (f64) to one value of any shape; it is dotted with fixed random weights. Checks d/d inputs.
using Function = std::function<Var(const std::vector<Var>&)>;
GradcheckResult gradcheck(const Function& f, const std::vector<Tensor>& inputs, const GradcheckOptions& o = {});
// The same for the gradient of the gradient.
GradcheckResult gradgradcheck(const Function& f, const std::vector<Tensor>& inputs, const GradcheckOptions& o = {});

}  // namespace plumb
