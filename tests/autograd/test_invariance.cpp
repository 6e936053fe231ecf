// A row's bits depend neither on its neighbours nor on the size of the batch, and bf16 weights are used as they are.
#include <gtest/gtest.h>

#include "autograd/backward.h"
#include "autograd/ops.h"

namespace plumb {
namespace {

Tensor numbers(const Shape& shape, int seed, DType dtype = DType::f32) {
  std::vector<double> v(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::cos(static_cast<double>(i * i + 5) * 0.37 + seed);
  return Tensor::from(v, shape).to(dtype);
}

// f over rows of [rows, ...]: each part of the batch gives the part of the result.
void expect_rows_alone(const std::function<Var(const Var&)>& f, const Tensor& x, int axis = 0) {
  const NoGrad off;
  const Tensor whole = f(x).value();
  for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 1}, {2, 3}, {1, 4}, {3, x.size(0)}}) {
    const Tensor part = f(x.slice(0, begin, end).contiguous()).value();
    EXPECT_TRUE(same_bits(part, whole.slice(axis, begin, end))) << begin << " to " << end;
  }
}

TEST(RowsAlone, HaveTheBitsOfTheBatch) {
  for (const DType t : {DType::f32, DType::f64}) {
    SCOPED_TRACE(name_of(t));
    const Tensor x = numbers({61, 103}, 1, t), w = numbers({37, 103}, 2, t), gain = numbers({103}, 3, t);
    expect_rows_alone([&](const Var& v) { return linear(v, w); }, x);
    expect_rows_alone([&](const Var& v) { return matmul(v, transpose(Var(w), 0, 1)); }, x);
    expect_rows_alone([&](const Var& v) { return normalise(v, gain, {}, {}); }, x);
    expect_rows_alone([](const Var& v) { return softmax(v); }, x);
    expect_rows_alone([](const Var& v) { return gelu(v); }, x);
    expect_rows_alone([](const Var& v) { return sum(v, {1}); }, x);
    expect_rows_alone([&](const Var& v) { return token_logprobs(v, w, {}, Tensor::full({v.size(0)}, 5, DType::i64)); },
                      x, 1);
  }
}

TEST(RowsAlone, OfAConvolution) {
  const Tensor x = numbers({6, 3, 9, 11}, 1), w = numbers({5, 3, 3, 3}, 2);
  expect_rows_alone([&](const Var& v) { return conv2d(v, w, {}, 2, 1); }, x);
}

TEST(Attention, OfAPrefixIsThePrefixOfAttention) {
  const std::int64_t length = 75;
  for (const DType t : {DType::f32, DType::f64})
    for (const double softcap : {0.0, 2.0}) {
      const Tensor q = numbers({2, length, 4, 20}, 1, t), k = numbers({2, length, 2, 20}, 2, t),
                   v = numbers({2, length, 2, 20}, 3, t);
      AttentionOptions o;
      o.scale = 0.3;
      o.softcap = softcap;
      const Tensor whole = attention(q, k, v, o).value();
      for (const std::int64_t n : {1, 2, 33, 64, 74}) {
        const auto cut = [n](const Tensor& x) { return x.slice(1, 0, n); };
        EXPECT_TRUE(same_bits(attention(cut(q), cut(k), cut(v), o).value(), cut(whole))) << n << " tokens";
        const Tensor last = q.slice(1, n - 1, n);  // one query against a cache that is longer than the row
        o.kv_length = Tensor::full({2}, static_cast<double>(n), DType::i64);
        EXPECT_TRUE(same_bits(attention(last, k, v, o).value(), whole.slice(1, n - 1, n))) << "query " << n;
        o.kv_length = {};
      }
      EXPECT_TRUE(
          same_bits(attention(q.slice(0, 1, 2), k.slice(0, 1, 2), v.slice(0, 1, 2), o).value(), whole.slice(0, 1, 2)));
    }
}

TEST(Attention, ReportsLogitsAndEntropy) {
  const Tensor q = numbers({1, 3, 1, 2}, 1, DType::f64);
  Tensor top, entropy;
  AttentionOptions o;
  o.max_logit = &top;
  o.entropy = &entropy;
  attention(q, q, q, o);
  const auto x = q.to_vector<double>();
  for (std::size_t t = 0; t < 3; ++t) {
    double largest = -1e30, z = 0, h = 0;
    std::vector<double> logits;
    for (std::size_t s = 0; s <= t; ++s) {
      logits.push_back(x[2 * t] * x[2 * s] + x[2 * t + 1] * x[2 * s + 1]);
      largest = std::max(largest, logits.back());
    }
    for (const double y : logits) z += std::exp(y);
    for (const double y : logits) h -= std::exp(y) / z * (y - std::log(z));
    EXPECT_NEAR(top.to_vector<double>()[t], largest, 1e-12);
    EXPECT_NEAR(entropy.to_vector<double>()[t], h, 1e-12);
  }
}

TEST(Head, TakesBf16WeightsWithF32Activations) {
  const Tensor x = numbers({2, 7, 40}, 1), w = numbers({29, 40}, 2, DType::bf16), bias = numbers({29}, 3);
  const Tensor labels = Tensor::arange(14).reshape({2, 7});
  const auto run = [&](DType weights) {
    const Var a = Var::leaf(x), b = Var::leaf(w.to(weights)), c = Var::leaf(bias);
    const Var y = token_logprobs(a, b, c, labels, {.scale = 0.5});
    EXPECT_EQ(y.dtype(), DType::f32);
    backward(sum(y));
    EXPECT_EQ(b.grad().dtype(), DType::f32);
    return std::vector<Tensor>{y.value(), a.grad(), b.grad(), c.grad()};
  };
  const auto narrow = run(DType::bf16), wide = run(DType::f32);  // the CPU widens weights as it reads them
  for (std::size_t i = 0; i < wide.size(); ++i) EXPECT_TRUE(same_bits(narrow[i], wide[i])) << i;
}

}  // namespace
}  // namespace plumb
