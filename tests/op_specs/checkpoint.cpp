// Recomputation is a function of its inputs like any other operator.
#include "autograd/checkpoint.h"

#include "tests/op_specs/spec.h"

namespace plumb::specs {

OP_SPEC("checkpoint") {
  s.tolerance({.f64 = 1e-12, .f32_ulps = 8, .bf16_ulps = 2, .of_largest = true});
  s.op([](const Vars& v) { return checkpoint([](const Vars& x) { return tanh(x[0]) * x[1] + x[0]; }, v); },
       [](const Arrays& a) {
         return build(a[0].shape, [&](const Dims& i) { return std::tanh(a[0].at(i)) * a[1].at(i) + a[0].at(i); });
       });
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{7}, Shape{3, 5}}) s.on("shape", {shape, shape});
  s.large({{41, 1031}, {41, 1031}});
}

}  // namespace plumb::specs
