// Sums and extremes over axes.
#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {
namespace {

// The shape of x with the reduced axes kept as ones.
Shape kept_shape(const Var& x, const Dims& axes) {
  Shape shape = axes.empty() ? Dims::filled(x.dim(), 1) : x.shape();
  for (const auto a : axes) shape[axis_of("sum", static_cast<int>(a), x.dim())] = 1;
  return shape;
}

}  // namespace

Var sum(const Var& x, const Dims& axes, bool keep) {
  return record("sum", {x}, kernels::reduce("sum", kernels::Reduce::sum, x.value(), axes, keep), Saves::nothing,
                [shape = x.shape(), kept = kept_shape(x, axes)](const Saved&, const Var& g) -> Grads {
                  return {expand(reshape(g, kept), shape)};
                });
}

Var mean(const Var& x, const Dims& axes, bool keep) {
  const Shape kept = kept_shape(x, axes);
  const double count = static_cast<double>(x.numel()) / static_cast<double>(std::max<std::int64_t>(numel(kept), 1));
  if (x.numel() == 0 && numel(kept) > 0) fail("mean", "shape {} has no elements to average", to_string(x.shape()));
  return sum(x, axes, keep) / (count > 0 ? count : 1);
}

namespace {

Var extreme(const Var& x, const Tensor& at, int axis, bool keep) {
  const Var kept = gather(x, at, axis);
  return keep ? kept : squeeze(kept, axis);
}

}  // namespace

Var max(const Var& x, int axis, bool keep) { return extreme(x, kernels::arg_max(x.value(), axis), axis, keep); }

Var min(const Var& x, int axis, bool keep) {
  return extreme(x, kernels::arg_max(kernels::unary("min", kernels::Unary::neg, x.value()), axis), axis, keep);
}

Var log_sum_exp(const Var& x, int axis, bool keep) {
  axis = axis_of("log_sum_exp", axis, x.dim());
  // The shift has no gradient: it cancels. A row of -inf keeps -inf, one with +inf keeps +inf.
  Tensor shift = kernels::reduce("log_sum_exp", kernels::Reduce::max, x.value(), {axis}, true);
  const Tensor finite = kernels::unary("log_sum_exp", kernels::Unary::is_finite, shift);
  shift = kernels::select("log_sum_exp", finite, shift, Tensor::scalar(0, x.dtype(), x.device()));
  const Var total = log(sum(exp(x - Var(shift)), {axis}, true)) + Var(shift);
  return keep ? total : squeeze(total, axis);
}

namespace {

Var running_sum(const Var& x, int axis, bool reverse) {
  return record("cumsum", {x}, kernels::cumsum(x.value(), axis, reverse), Saves::nothing,
                [axis, reverse](const Saved&, const Var& g) -> Grads { return {running_sum(g, axis, !reverse)}; });
}

}  // namespace

Var cumsum(const Var& x, int axis) { return running_sum(x, axis, false); }

Var sum_to(const Var& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("sum_to", {x}, kernels::sum_to(x.value(), shape), Saves::nothing,
                [from = x.shape()](const Saved&, const Var& g) -> Grads { return {expand(g, from)}; });
}

}  // namespace plumb
