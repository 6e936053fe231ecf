// The head of a language model: log-probabilities of labels without the matrix of all logits.
#include <limits>

#include "autograd/backward.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {
namespace {

struct Head {  // shapes of one call: x [R?, .., d], w [R?, V, d]
  kernels::Rows rows;
  std::int64_t d = 0, vocab = 0, count = 0;
  bool packed = false;
};

Head layout(const Var& x, const Var& w, const Var& bias, const Tensor& labels) {
  Head h;
  h.packed = w.dim() == 3;
  Shape lead = x.shape();
  if (x.dim() > 0) lead.erase(x.dim() - 1);
  if (w.dim() < 2 || w.dim() > 3 || x.dim() < 1 || x.size(-1) != w.size(-1) ||
      (h.packed && (x.dim() < 2 || x.size(0) != w.size(0))))
    fail("token_logprobs", "input {} does not fit head {}", to_string(x.shape()), to_string(w.shape()));
  kernels::check_floating("token_logprobs", x.value());
  if (w.dtype() != DType::bf16 || x.dtype() != DType::f32)
    kernels::check_same_dtype("token_logprobs", x.value(), w.value());
  if (bias.defined()) kernels::check_same_dtype("token_logprobs", x.value(), bias.value());
  if (labels.shape() != lead)
    fail("token_logprobs", "labels {} do not fit input {}", to_string(labels.shape()), to_string(x.shape()));
  if (bias.defined() && (bias.dim() != w.dim() - 1 || bias.size(-1) != w.size(-2)))
    fail("token_logprobs", "bias {} does not fit head {}", to_string(bias.shape()), to_string(w.shape()));
  h.d = w.size(-1);
  h.vocab = w.size(-2);
  if (h.packed) h.rows.runs = w.size(0);
  h.count = labels.numel();
  h.rows.rows = lead.size() - (h.packed ? 1 : 0) >= 2 ? lead.back() : 1;
  const std::int64_t per = h.rows.runs * h.rows.rows;
  h.rows.examples = per ? h.count / per : 0;
  if (h.vocab == 0)
    fail("token_logprobs", "the head {} has no rows: there is nothing to be probable", to_string(w.shape()));
  kernels::check_index("token_logprobs", labels, std::numeric_limits<std::int64_t>::min(), h.vocab);
  return h;
}

kernels::TokenLogprobs describe(const Head& h, const HeadOptions& o, const Tensor& x, const Tensor& w,
                                const Tensor& bias, const Tensor& labels, const Tensor& out) {
  const std::int64_t step = h.count * static_cast<std::int64_t>(size_of(out.dtype()));
  return {.rows = h.rows,
          .d = h.d,
          .vocab = h.vocab,
          .dtype = x.dtype(),
          .weight_dtype = w.dtype(),
          .scale = o.scale,
          .softcap = o.softcap,
          .x = x.raw(),
          .w = w.raw(),
          .bias = bias.defined() ? bias.raw() : nullptr,
          .labels = static_cast<const std::int64_t*>(labels.raw()),
          .logp = out.raw(),
          .log_z = static_cast<std::byte*>(out.raw()) + step};
}

}  // namespace

Var token_logprobs(const Var& x, const Var& w, const Var& bias, const Tensor& labels_any, const HeadOptions& o) {
  const Tensor labels = labels_any.contiguous();
  const Head h = layout(x, w, bias, labels);
  const Tensor xv = x.value().contiguous(), wv = w.value().contiguous(),
               bv = bias.defined() ? bias.value().contiguous() : Tensor();
  Shape shape = labels.shape();
  shape.insert(0, 2);
  const Tensor out =
      Tensor::empty(shape, x.dtype() == DType::f64 ? DType::f64 : DType::f32, x.device(), "token_logprobs");
  backend_of(xv).token_logprobs(describe(h, o, xv, wv, bv, labels, out));
  return record(
      "token_logprobs", {x, w, bias}, out, Saves::inputs_and_output,
      [h, o, labels](const Saved& in, const Var& g) -> Grads {
        if (grad_enabled() && in[0].dtype() != in[1].dtype())
          fail("token_logprobs", "second derivatives are not offered for bf16 products; use f32");
        if (grad_enabled())
          return grad_of_composed(
              [&](const std::vector<Var>& v) { return token_logprobs_composed(v[0], v[1], v[2], labels, o); },
              {in[0], in[1], in[2]}, g);
        const Tensor x = in[0].value().contiguous(), w = in[1].value().contiguous();
        const Tensor bias = in[2].defined() ? in[2].value().contiguous() : Tensor();
        const Tensor gv = g.value().contiguous();
        kernels::TokenLogprobsGrad t{.forward = describe(h, o, x, w, bias, labels, in.output().value())};
        t.g_logp = gv.raw();
        t.g_log_z = static_cast<std::byte*>(gv.raw()) + h.count * static_cast<std::int64_t>(size_of(gv.dtype()));
        Grads out(3);
        const Tensor dx = in.needs(0) ? Tensor::empty(x.shape(), x.dtype(), x.device(), "token_logprobs") : Tensor();
        if (dx.defined()) {
          t.dx = dx.raw();
          out[0] = Var(dx);
        }
        const auto target = [&](int i) -> void* {
          if (!in[i].defined() || !in.needs(i)) return nullptr;
          Tensor acc = in.accumulator(i);
          if (!acc.defined()) {
            acc = Tensor::zeros(in[i].shape(), gv.dtype(), gv.device());
            out[static_cast<std::size_t>(i)] = Var(acc);
          }
          return acc.raw();
        };
        t.dw = target(1);
        t.dbias = target(2);
        backend_of(x).token_logprobs_grad(t);
        return out;
      });
}

Var token_logprobs_composed(const Var& x, const Var& w, const Var& bias, const Tensor& labels, const HeadOptions& o) {
  const Head h = layout(x, w, bias, labels);
  const std::int64_t each = h.rows.examples * h.rows.rows;
  const Var rows = reshape(x, h.packed ? Shape{h.rows.runs, each, h.d} : Shape{each, h.d});
  Var y = matmul(rows, transpose(w, -1, -2)) * o.scale;
  if (bias.defined()) y = y + (h.packed ? unsqueeze(bias, 1) : bias);
  if (o.softcap > 0) y = tanh(y / o.softcap) * o.softcap;
  const Var log_z = log_sum_exp(y, -1, true);
  const Tensor flat = labels.reshape(log_z.shape());
  const Tensor masked = kernels::scalar("label", kernels::Binary::less, flat, 0);
  const Tensor safe = kernels::scalar("label", kernels::Binary::maximum, flat, 0);
  const Var zero(Tensor::scalar(0, y.dtype(), y.device()));
  const Var logp = where(masked, zero, gather(y, safe, -1) - log_z);
  return stack({reshape(logp, labels.shape()), reshape(where(masked, zero, log_z), labels.shape())}, 0);
}

}  // namespace plumb
