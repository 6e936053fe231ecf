// Attention and rotary embedding.
#include <cmath>

#include "autograd/backward.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {
namespace {

void check(const Var& q, const Var& k, const Var& v) {
  const auto bad = [&] {
    fail("attention", "q {}, k {} and v {} do not fit: [B,T,H,d], [B,S,Hkv,d] with H a multiple of Hkv",
         to_string(q.shape()), to_string(k.shape()), to_string(v.shape()));
  };
  kernels::check_same_dtype("attention", q.value(), k.value());
  kernels::check_same_dtype("attention", q.value(), v.value());
  if (q.dim() != 4 || k.dim() != 4 || v.shape() != k.shape() || q.size(0) != k.size(0) || q.size(3) != k.size(3)) bad();
  if (k.size(2) == 0 || q.size(2) % k.size(2) != 0) bad();
  if (k.size(1) < q.size(1))
    fail("attention", "{} queries cannot be the last of {} keys: there must be a key for each query", q.size(1),
         k.size(1));
}

Tensor rows_dense(const Tensor& t) {
  return t.strides().empty() || t.strides().back() == 1 || t.shape().back() == 1 ? t : t.contiguous();
}

// One i64 number for each row of a batch, low <= each <= high.
void check_per_row(const char* op, const char* name, const Tensor& t, std::int64_t rows, std::int64_t low,
                   std::int64_t high) {
  if (!t.defined()) return;
  if (t.dtype() != DType::i64 || t.shape() != Shape{rows})
    fail(op, "{} must be i64 {}, not {} {}", name, to_string(Shape{rows}), name_of(t.dtype()), to_string(t.shape()));
  if (backend_of(t).index_in_range(t.view(), low, high + 1)) return;
  const auto values = t.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < low || values[i] > high)
      fail(op, "{} {} at row {} is outside [{}, {}]", name, values[i], i, low, high);
}

// A row's keys must be there, and when causal each query must see one.
AttentionOptions checked(const Var& q, const Var& k, const Var& v, const AttentionOptions& options) {
  check(q, k, v);
  AttentionOptions o = options;
  if (o.relu_length < 0) fail("attention", "relu_length must not be negative, but is {}", o.relu_length);
  if (!o.kv_length.defined()) return o;
  check_per_row("attention", "kv_length", o.kv_length, q.size(0), o.causal ? q.size(1) : 1, k.size(1));
  o.kv_length = o.kv_length.contiguous();
  return o;
}

kernels::Attention describe(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                            const AttentionOptions& o) {
  return {.q = q.view(),
          .k = k.view(),
          .v = v.view(),
          .out = out.view(),
          .log_sum_exp = lse.raw(),
          .scale = o.scale,
          .softcap = o.softcap,
          .causal = o.causal,
          .squared_relu = o.squared_relu,
          .kv_length = o.kv_length.defined() ? static_cast<const std::int64_t*>(o.kv_length.raw()) : nullptr,
          .relu_length = o.relu_length};
}

Grads attention_grads(const Saved& in, const Var& g, const Tensor& lse, const AttentionOptions& o) {
  const Tensor q = rows_dense(in[0].value()), k = rows_dense(in[1].value()), v = rows_dense(in[2].value());
  const auto like = [](const Tensor& t) { return Tensor::empty(t.shape(), t.dtype(), t.device(), "attention"); };
  const Tensor dq = like(q), dk = like(k), dv = like(v), dout = g.value().contiguous();
  backend_of(q).attention_grad({.forward = describe(q, k, v, in.output().value(), lse, o),
                                .dout = dout.view(),
                                .dq = dq.view(),
                                .dk = dk.view(),
                                .dv = dv.view()});
  return {Var(dq), Var(dk), Var(dv)};
}

}  // namespace

Var attention(const Var& q, const Var& k, const Var& v, const AttentionOptions& options) {
  AttentionOptions o = checked(q, k, v, options);
  const Tensor qv = rows_dense(q.value()), vv = rows_dense(v.value());
  const Tensor kv = k.device() == cpu_device ? k.value() : rows_dense(k.value());
  const Tensor out = Tensor::empty(q.shape(), q.dtype(), q.device(), "attention");
  const Shape per_row{q.size(0), q.size(2), q.size(1)};
  const DType wide = q.dtype() == DType::f64 ? DType::f64 : DType::f32;
  const Tensor lse = Tensor::empty(per_row, wide, q.device());
  kernels::Attention a = describe(qv, kv, vv, out, lse, o);
  for (auto [tensor, raw] : {std::pair{o.max_logit, &a.max_logit}, std::pair{o.entropy, &a.entropy}}) {
    if (!tensor) continue;
    *tensor = Tensor::empty(per_row, wide, q.device());
    *raw = tensor->raw();
  }
  backend_of(qv).attention(a);
  o.max_logit = o.entropy = nullptr;
  return record(
      "attention", {q, k, v}, out, Saves::inputs_and_output, [lse, o](const Saved& in, const Var& g) -> Grads {
        if (!grad_enabled()) return attention_grads(in, g, lse, o);
        return grad_of_composed([&](const std::vector<Var>& x) { return attention_composed(x[0], x[1], x[2], o); },
                                {in[0], in[1], in[2]}, g);
      });
}

namespace {

// u8 [B or 1, 1, 1, T, S]: whether query t may see key s.
Tensor visible(const Var& q, const Var& k, const AttentionOptions& o) {
  const std::int64_t b = q.size(0), t = q.size(1), s = k.size(1);
  std::vector<std::int64_t> length(static_cast<std::size_t>(b), s);
  if (o.kv_length.defined()) length = o.kv_length.to_vector<std::int64_t>();
  std::vector<std::uint8_t> mask;
  for (std::int64_t i = 0; i < b; ++i)
    for (std::int64_t y = 0; y < t; ++y)
      for (std::int64_t x = 0; x < s; ++x) {
        const std::int64_t n = length[static_cast<std::size_t>(i)];
        mask.push_back(x < n && (!o.causal || x <= n - t + y));
      }
  return Tensor::from(mask, {b, 1, 1, t, s}).to(q.device());
}

}  // namespace

Var attention_composed(const Var& q, const Var& k, const Var& v, const AttentionOptions& options) {
  const AttentionOptions o = checked(q, k, v, options);
  const std::int64_t b = q.size(0), t = q.size(1), h = q.size(2), d = q.size(3), s = k.size(1), hkv = k.size(2);
  const Var qh = reshape(permute(q, {0, 2, 1, 3}), {b, hkv, h / hkv, t, d});
  const Var kh = unsqueeze(permute(k, {0, 2, 3, 1}), 2), vh = unsqueeze(permute(v, {0, 2, 1, 3}), 2);
  Var z = matmul(qh, kh) * o.scale;
  if (o.softcap > 0) z = tanh(z / o.softcap) * o.softcap;
  const Tensor mask = visible(q, k, o);
  Var weights;
  if (o.squared_relu) {
    weights = where(mask, square(relu(z)), Var(Tensor::scalar(0, q.dtype(), q.device()))) *
              (1 / std::sqrt(static_cast<double>(o.relu_length ? o.relu_length : s)));
  } else {
    const double lowest = -1e30;  // finite, so that its gradient is zero rather than NaN
    weights = softmax(where(mask, z, Var(Tensor::scalar(lowest, q.dtype(), q.device()))));
  }
  return permute(reshape(matmul(weights, vh), {b, h, t, d}), {0, 2, 1, 3});
}

namespace {

Var turned(const Var& x, const RopeOptions& o, bool inverse) {
  const Tensor out = Tensor::empty(x.shape(), x.dtype(), x.device(), "rope");
  const Tensor xv = rows_dense(x.value());
  backend_of(xv).rope({.x = xv.view(),
                       .out = out.view(),
                       .base = o.base,
                       .rotary = o.rotary,
                       .start = o.start.defined() ? static_cast<const std::int64_t*>(o.start.raw()) : nullptr,
                       .inverse = inverse});
  return record("rope", {x}, out, Saves::nothing,
                [o, inverse](const Saved&, const Var& g) -> Grads { return {turned(g, o, !inverse)}; });
}

}  // namespace

Var rope(const Var& x, const RopeOptions& options) {
  RopeOptions o = options;
  kernels::check_floating("rope", x.value());
  if (x.dim() != 4) fail("rope", "needs [B,T,H,d], not {}", to_string(x.shape()));
  if (o.rotary == 0) o.rotary = x.size(3);
  if (o.rotary % 2 != 0 || o.rotary > x.size(3) || o.rotary < 0)
    fail("rope", "cannot rotate {} of {} entries: pairs need an even number that fits", o.rotary, x.size(3));
  constexpr std::int64_t farthest = 1 << 24;  // positions have a table of angles
  check_per_row("rope", "start", o.start, x.size(0), 0, farthest);
  if (o.start.defined()) o.start = o.start.contiguous();
  return turned(x, o, false);
}

}  // namespace plumb
