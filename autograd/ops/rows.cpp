// Softmax and normalisation over the last axis.
#include "autograd/backward.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {
namespace {

Tensor softmax_grad(const Tensor& y, const Tensor& g, bool log) {
  const Tensor dx = Tensor::empty(y.shape(), y.dtype(), y.device(), "softmax");
  backend_of(y).softmax_grad(y.view(), g.contiguous().view(), log, dx.view());
  return dx;
}

}  // namespace

Var softmax(const Var& x) {
  return record("softmax", {x}, kernels::softmax(x.value(), false), Saves::output,
                [](const Saved& in, const Var& g) -> Grads {
                  const Var y = in.output();
                  if (!grad_enabled()) return {Var(softmax_grad(y.value(), g.value(), false))};
                  return {y * (g - sum(g * y, {-1}, true))};
                });
}

Var log_softmax(const Var& x) {
  return record("log_softmax", {x}, kernels::softmax(x.value(), true), Saves::output,
                [](const Saved& in, const Var& g) -> Grads {
                  const Var y = in.output();
                  if (!grad_enabled()) return {Var(softmax_grad(y.value(), g.value(), true))};
                  return {g - exp(y) * sum(g, {-1}, true)};
                });
}

namespace {

// How x [.., n] and gain [n] or [R, n] lie.
kernels::Rows rows_of(const Shape& x, const Shape& parameter) {
  kernels::Rows r;
  const bool packed = parameter.size() == 2;
  if (packed) r.runs = parameter[0];
  if (x.empty() || (!parameter.empty() && parameter.back() != x.back()) || parameter.size() > 2 ||
      (packed && (x.size() < 2 || x[0] != r.runs)))
    fail("normalise", "gain or bias {} does not fit input {}", to_string(parameter), to_string(x));
  const int lead = x.size() - 1 - (packed ? 1 : 0);
  r.rows = lead >= 2 ? x[x.size() - 2] : 1;
  std::int64_t total = 1;
  for (int i = packed ? 1 : 0; i < x.size() - 1; ++i) total *= x[i];
  r.examples = r.rows ? total / r.rows : 0;
  return r;
}

Shape with_run_axis(const Shape& parameter, int dims) {  // [R, n] -> [R, 1, .., n]
  Shape s = parameter;
  while (parameter.size() == 2 && s.size() < dims) s.insert(1, 1);
  return s;
}

Var normalise_composed(const Var& x, const Var& gain, const Var& bias, const NormOptions& o) {
  const Var centred = o.center ? x - mean(x, {-1}, true) : x;
  Var y = centred * rsqrt(mean(square(centred), {-1}, true) + o.eps);
  if (gain.defined()) y = y * (reshape(gain, with_run_axis(gain.shape(), x.dim())) + o.gain_offset);
  if (bias.defined()) y = y + reshape(bias, with_run_axis(bias.shape(), x.dim()));
  return y;
}

struct NormSaved {  // what the fused kernel keeps
  Tensor mean, rstd;
};

kernels::Norm describe(const Tensor& x, const Tensor& gain, const Tensor& bias, const NormOptions& o,
                       const kernels::Rows& rows, const NormSaved& kept) {
  return {.rows = rows,
          .n = x.shape().back(),
          .center = o.center,
          .eps = o.eps,
          .gain_offset = o.gain_offset,
          .dtype = x.dtype(),
          .x = x.raw(),
          .gain = gain.defined() ? gain.raw() : nullptr,
          .bias = bias.defined() ? bias.raw() : nullptr,
          .y = nullptr,
          .mean = kept.mean.raw(),
          .rstd = kept.rstd.raw()};
}

Grads norm_grads(const Saved& in, const Var& g, const NormOptions& o, const kernels::Rows& rows,
                 const NormSaved& kept) {
  const Tensor x = in[0].value().contiguous(), gain = in[1].defined() ? in[1].value().contiguous() : Tensor();
  const Tensor dy = g.value().contiguous(), dx = Tensor::empty(x.shape(), x.dtype(), x.device(), "normalise");
  kernels::NormGrad n{.forward = describe(x, gain, {}, o, rows, kept), .dy = dy.raw(), .dx = dx.raw()};
  Grads out{Var(dx), Var(), Var()};
  const auto target = [&](int i) -> void* {
    if (!in[i].defined() || !in.needs(i)) return nullptr;
    Tensor acc = in.accumulator(i);
    if (!acc.defined()) {
      acc = Tensor::zeros(in[i].shape(), gradient_dtype(in[i].dtype()), x.device());
      out[static_cast<std::size_t>(i)] = Var(acc);
    }
    return acc.raw();
  };
  n.dgain = target(1);
  n.dbias = target(2);
  backend_of(x).norm_grad(n);
  return out;
}

}  // namespace

Var normalise(const Var& x, const Var& gain, const Var& bias, const NormOptions& o) {
  kernels::check_floating("normalise", x.value());
  const Shape parameter = gain.defined() ? gain.shape() : bias.defined() ? bias.shape() : Shape{};
  const kernels::Rows rows = rows_of(x.shape(), parameter);
  if (gain.defined()) kernels::check_same_dtype("normalise", x.value(), gain.value());
  if (bias.defined()) kernels::check_same_dtype("normalise", x.value(), bias.value());
  if (bias.defined() && gain.defined() && bias.shape() != gain.shape())
    fail("normalise", "gain {} and bias {} differ in shape", to_string(gain.shape()), to_string(bias.shape()));
  const Tensor xv = x.value().contiguous(), y = Tensor::empty(x.shape(), x.dtype(), x.device(), "normalise");
  const DType wide = x.dtype() == DType::f64 ? DType::f64 : DType::f32;
  const std::int64_t count = rows.runs * rows.examples * rows.rows;
  const NormSaved kept{Tensor::empty({count}, wide, x.device()), Tensor::empty({count}, wide, x.device())};
  const Tensor gv = gain.defined() ? gain.value().contiguous() : Tensor(),
               bv = bias.defined() ? bias.value().contiguous() : Tensor();
  kernels::Norm n = describe(xv, gv, bv, o, rows, kept);
  n.y = y.raw();
  backend_of(xv).norm(n);
  return record("normalise", {x, gain, bias}, y, Saves::inputs,
                [o, rows, kept](const Saved& in, const Var& g) -> Grads {
                  if (!grad_enabled()) return norm_grads(in, g, o, rows, kept);
                  std::vector<Var> inputs{in[0]};
                  for (const int i : {1, 2}) inputs.push_back(in[i].defined() ? in[i] : Var());
                  return grad_of_composed(
                      [&](const std::vector<Var>& v) { return normalise_composed(v[0], v[1], v[2], o); }, inputs, g);
                });
}

}  // namespace plumb
