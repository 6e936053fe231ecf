// Views and rearrangements.
#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {

Var reshape(const Var& x, const Shape& shape) {
  return record("reshape", {x}, x.value().reshape(shape), Saves::nothing,
                [from = x.shape()](const Saved&, const Var& g) -> Grads { return {reshape(g, from)}; });
}

Var transpose(const Var& x, int a, int b) {
  return record("transpose", {x}, x.value().transpose(a, b), Saves::nothing,
                [a, b](const Saved&, const Var& g) -> Grads { return {transpose(g, a, b)}; });
}

Var permute(const Var& x, const Dims& axes) {
  Tensor value = x.value().permute(axes);
  Dims back = axes;
  for (int i = 0; i < axes.size(); ++i) back[axis_of("permute", static_cast<int>(axes[i]), x.dim())] = i;
  return record("permute", {x}, std::move(value), Saves::nothing,
                [back](const Saved&, const Var& g) -> Grads { return {permute(g, back)}; });
}

namespace {

// The gradient of a slice: zeros with g laid into them.
Var laid_into(const Var& g, const Shape& shape, int axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  const Tensor out = Tensor::zeros(shape, g.dtype(), g.device());
  backend_of(out).copy(g.value().view(), out.slice(axis, begin, end, step).view());
  return record("slice", {g}, out, Saves::nothing,
                [=](const Saved&, const Var& h) -> Grads { return {slice(h, axis, begin, end, step)}; });
}

}  // namespace

Var slice(const Var& x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  axis = axis_of("slice", axis, x.dim());
  return record("slice", {x}, x.value().slice(axis, begin, end, step), Saves::nothing,
                [=, shape = x.shape()](const Saved&, const Var& g) -> Grads {
                  return {laid_into(g, shape, axis, begin, end, step)};
                });
}

Var select(const Var& x, int axis, std::int64_t index) {
  axis = axis_of("select", axis, x.dim());
  const std::int64_t n = x.shape()[axis];
  if (index < -n || index >= n)
    fail("select", "index {} is outside axis {} of shape {}", index, axis, to_string(x.shape()));
  if (index < 0) index += n;
  return squeeze(slice(x, axis, index, index + 1), axis);
}

Var unsqueeze(const Var& x, int axis) {
  Shape shape = x.shape();
  shape.insert(axis_of("unsqueeze", axis, x.dim() + 1), 1);
  return reshape(x, shape);
}

Var squeeze(const Var& x, int axis) {
  axis = axis_of("squeeze", axis, x.dim());
  Shape shape = x.shape();
  if (shape[axis] != 1) fail("squeeze", "axis {} of shape {} is not of size 1", axis, to_string(shape));
  shape.erase(axis);
  return reshape(x, shape);
}

Var expand(const Var& x, const Shape& shape) {
  return record("expand", {x}, x.value().expand(shape), Saves::nothing,
                [from = x.shape()](const Saved&, const Var& g) -> Grads { return {sum_to(g, from)}; });
}

Var concat(const std::vector<Var>& parts, int axis) {
  std::vector<Tensor> values;
  std::vector<std::int64_t> sizes;
  for (const auto& p : parts) values.push_back(p.value());
  Tensor value = kernels::concat(values, axis);
  axis = axis_of("concat", axis, value.dim());
  for (const auto& p : parts) sizes.push_back(p.shape()[axis]);
  return record("concat", parts.data(), parts.size(), std::move(value), Saves::nothing,
                [axis, sizes](const Saved& in, const Var& g) -> Grads {
                  Grads out;
                  std::int64_t at = 0;
                  for (std::size_t i = 0; i < sizes.size(); at += sizes[i++])
                    out.push_back(in.needs(static_cast<int>(i)) ? slice(g, axis, at, at + sizes[i]) : Var());
                  return out;
                });
}

Var stack(const std::vector<Var>& parts, int axis) {
  std::vector<Var> rows;
  rows.reserve(parts.size());
  for (const auto& p : parts) rows.push_back(unsqueeze(p, axis < 0 ? axis + p.dim() + 1 : axis));
  return concat(rows, axis);
}

Var to(const Var& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  if (!is_floating(dtype)) fail("to", "a value with a gradient cannot become {}; use value().to()", name_of(dtype));
  return record("to", {x}, x.value().to(dtype), Saves::nothing,
                [from = x.dtype()](const Saved&, const Var& g) -> Grads { return {to(g, from)}; });
}

Var contiguous(const Var& x) {
  if (x.value().is_contiguous()) return x;
  return record("contiguous", {x}, x.value().contiguous(), Saves::nothing,
                [](const Saved&, const Var& g) -> Grads { return {g}; });
}

}  // namespace plumb
