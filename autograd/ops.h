// The differentiable operators. All work on any floating dtype and any strides; operands of two inputs broadcast and
// must share a dtype; a number takes the tensor's dtype. Every operator has a spec under tests/op_specs.
#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include "autograd/var.h"

namespace plumb {

// Arithmetic (ops/arithmetic.cpp).
Var operator+(const Var& a, const Var& b);
Var operator-(const Var& a, const Var& b);
Var operator*(const Var& a, const Var& b);
Var operator/(const Var& a, const Var& b);
Var operator-(const Var& a);
Var operator+(const Var& a, double s);
Var operator+(double s, const Var& a);
Var operator-(const Var& a, double s);
Var operator-(double s, const Var& a);
Var operator*(const Var& a, double s);
Var operator*(double s, const Var& a);
Var operator/(const Var& a, double s);
Var operator/(double s, const Var& a);
Var pow(const Var& a, double exponent);
Var maximum(const Var& a, const Var& b);  // where equal, half of the gradient goes to each
Var minimum(const Var& a, const Var& b);
Var clamp(const Var& a, double low, double high);           // gradient 1 inside and at the ends
Var log_add_exp(const Var& a, const Var& b);                // log(e^a + e^b), exact at infinities
Var where(const Tensor& mask, const Var& a, const Var& b);  // mask u8; what is not selected is not read by the gradient

// Elementwise functions (ops/functions.cpp).
Var abs(const Var& x);
Var exp(const Var& x);
Var expm1(const Var& x);
Var log(const Var& x);
Var log1p(const Var& x);
Var log1m_exp(const Var& x);  // log(1 - e^x), x < 0
Var sqrt(const Var& x);
Var rsqrt(const Var& x);
Var reciprocal(const Var& x);
Var square(const Var& x);
Var sin(const Var& x);
Var cos(const Var& x);
Var tanh(const Var& x);
Var sigmoid(const Var& x);
Var log_sigmoid(const Var& x);
Var softplus(const Var& x);
Var relu(const Var& x);  // gradient 0 at 0
Var silu(const Var& x);
Var gelu(const Var& x);       // exact: x Phi(x)
Var gelu_tanh(const Var& x);  // the tanh form
Var erf(const Var& x);

// Reductions (ops/reductions.cpp). Empty `axes` = all.
Var sum(const Var& x, const Dims& axes = {}, bool keep = false);
Var mean(const Var& x, const Dims& axes = {}, bool keep = false);
Var max(const Var& x, int axis, bool keep = false);  // ties: the lowest index gets the gradient
Var min(const Var& x, int axis, bool keep = false);
Var log_sum_exp(const Var& x, int axis, bool keep = false);
Var cumsum(const Var& x, int axis);
Var sum_to(const Var& x, const Shape& shape);  // the transpose of broadcasting

// Shapes (ops/shapes.cpp). Views where possible.
Var reshape(const Var& x, const Shape& shape);
Var transpose(const Var& x, int a, int b);
Var permute(const Var& x, const Dims& axes);
Var slice(const Var& x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1);
Var select(const Var& x, int axis, std::int64_t index);
Var unsqueeze(const Var& x, int axis);
Var squeeze(const Var& x, int axis);
Var expand(const Var& x, const Shape& shape);
Var concat(const std::vector<Var>& parts, int axis);
Var stack(const std::vector<Var>& parts, int axis);
Var to(const Var& x, DType dtype);
Var contiguous(const Var& x);

// Indexing (ops/indexing.cpp). Indices are i64 tensors, checked.
Var gather(const Var& x, const Tensor& index, int axis);  // out[..i..] = x[..index[..i..]..]
Var scatter_add(const Tensor& index, const Var& x, int axis,
                std::int64_t n);                       // zeros of size n along axis, plus x at index
Var embedding(const Var& table, const Tensor& index);  // [V,D], [...] -> [...,D]; packed: [R,V,D], [R,...] -> [R,...,D]

// Products (ops/products.cpp). matmul broadcasts batch dimensions.
Var matmul(const Var& a, const Var& b);
// x W^T + bias: x [..., K], w [N, K], bias [N] or undefined. Packed: x [R, ..., K], w [R, N, K], bias [R, N]. The last
// axis but one of x (with at least three axes) holds the rows of one example; with two axes every row is an example.
// A bf16 w with an f32 x computes the products in bf16 with f32 accumulation.
Var linear(const Var& x, const Var& w, const Var& bias = {});

// Rows (ops/rows.cpp): over the last axis.
Var softmax(const Var& x);
Var log_softmax(const Var& x);
struct NormOptions {
  bool center = true;  // LayerNorm; false: RMSNorm
  double eps = 1e-6;
  double gain_offset = 0;  // 1: the gain is stored as its distance from one
};
// (x - mean) / sqrt(mean((x - mean)^2) + eps) * (gain + offset) + bias; gain and bias [n] or [R, n], may be undefined.
Var normalise(const Var& x, const Var& gain, const Var& bias, const NormOptions& options);

// Attention (ops/attention.cpp).
struct AttentionOptions {
  double scale = 1, softcap = 0;
  bool causal = true, squared_relu = false;
  std::int64_t relu_length = 0;  // squared_relu's weights are relu(z)^2 / sqrt(relu_length); 0 = S
  Tensor kv_length{};            // i64 [B] or undefined
  Tensor* max_logit = nullptr;   // when given: filled with [B, H, T]
  Tensor* entropy = nullptr;
};
Var attention(const Var& q, const Var& k, const Var& v,
              const AttentionOptions& options);  // [B,T,H,d], [B,S,Hkv,d] -> [B,T,H,d]
Var attention_composed(const Var& q, const Var& k, const Var& v, const AttentionOptions& options);  // plain operators
struct RopeOptions {
  double base = 10000;
  std::int64_t rotary = 0;  // entries rotated; 0 = all
  Tensor start{};           // i64 [B]: position of the first token, or undefined = 0
};
Var rope(const Var& x, const RopeOptions& options);  // [B, T, H, d]

// Head (ops/head.cpp): log-probability of each label and log Z, stacked [2, ...], without [..., V] in memory.
// x [..., d], w [V, d], bias [V] or undefined, labels i64 [...]; a negative label gives zeros and no gradient.
struct HeadOptions {
  double scale = 1, softcap = 0;
};
Var token_logprobs(const Var& x, const Var& w, const Var& bias, const Tensor& labels, const HeadOptions& options = {});
Var token_logprobs_composed(const Var& x, const Var& w, const Var& bias, const Tensor& labels,
                            const HeadOptions& options = {});

// Convolution (ops/convolution.cpp): x [B, C, H, W], w [O, C, k, k], bias [O] or undefined.
Var conv2d(const Var& x, const Var& w, const Var& bias, int stride = 1, int padding = 0);
Var max_pool2d(const Var& x, int size);
Var avg_pool2d(const Var& x, int size);

// Comparisons give masks (u8 tensors), which have no gradient.
Tensor operator<(const Var& a, const Var& b);
Tensor operator<=(const Var& a, const Var& b);
Tensor equal(const Var& a, const Var& b);

}  // namespace plumb
