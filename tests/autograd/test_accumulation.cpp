// Gradients of a batch are those of its parts, bit for bit: 8 examples = 4 + 4 = 8 x 1, padded or not.
#include <gtest/gtest.h>

#include "autograd/backward.h"
#include "autograd/checkpoint.h"
#include "autograd/ops.h"
#include "core/parallel.h"

namespace plumb {
namespace {

constexpr std::int64_t examples = 8, longest = 7, vocab = 11, width = 5, hidden = 19;
constexpr std::int64_t lengths[examples] = {7, 1, 4, 6, 2, 7, 3, 5};

Tensor numbers(const Shape& shape, int seed, DType dtype) {
  std::vector<double> v(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::sin(static_cast<double>(i * i + 1) * 0.7 + seed);
  return Tensor::from(v, shape).to(dtype);
}

// Every way in which a parameter collects a gradient: embedding, gain and bias of a norm, weight and bias of a linear
// layer, a plain broadcast, a matmul, and the head, which is tied to the embedding.
struct Model {
  Var table, gain, shift, up, up_bias, scale, down, out_bias;

  explicit Model(DType t)
      : table(Var::leaf(numbers({vocab, width}, 1, t))),
        gain(Var::leaf(numbers({width}, 2, t))),
        shift(Var::leaf(numbers({width}, 3, t))),
        up(Var::leaf(numbers({hidden, width}, 4, t))),
        up_bias(Var::leaf(numbers({hidden}, 5, t))),
        scale(Var::leaf(numbers({hidden}, 6, t))),
        down(Var::leaf(numbers({width, hidden}, 7, t))),
        out_bias(Var::leaf(numbers({vocab}, 8, t))) {}

  std::vector<Var> parameters() const { return {table, gain, shift, up, up_bias, scale, down, out_bias}; }

  Var block(const Var& x) const {
    const Var h = gelu(linear(normalise(x, gain, shift, {}), up, up_bias)) * scale;
    return x + linear(h, down);
  }
  Var operator()(const Tensor& tokens, const Tensor& labels, bool recompute) const {
    const auto part = [this](const std::vector<Var>& v) { return block(block(v[0])); };  // each weight at two sites
    const Var x = embedding(table, tokens);
    const Var y = recompute ? checkpoint(part, {x}) : part({x});
    return sum(token_logprobs(y, table, out_bias, labels)) * -0.125;
  }
};

struct Batch {
  Tensor tokens, labels;  // [examples, rows]; labels of padding are -1
};

Batch batch(std::int64_t first, std::int64_t count, std::int64_t rows) {
  std::vector<std::int64_t> tokens, labels;
  for (std::int64_t i = first; i < first + count; ++i)
    for (std::int64_t t = 0; t < rows; ++t) {
      tokens.push_back((i * 5 + t * 3 + t * t) % vocab);
      labels.push_back(t < lengths[i] ? (i + t * 7) % vocab : -1);
    }
  return {Tensor::from(tokens, {count, rows}), Tensor::from(labels, {count, rows})};
}

std::vector<Tensor> gradients(DType dtype, std::int64_t at_once, bool trimmed, bool recompute) {
  const Model model(dtype);
  for (std::int64_t i = 0; i < examples; i += at_once) {
    const Batch b = batch(i, at_once, trimmed ? lengths[i] : longest);
    backward(model(b.tokens, b.labels, recompute));
  }
  std::vector<Tensor> out;
  for (const auto& p : model.parameters()) out.push_back(p.grad());
  return out;
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b, const char* what) {
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(same_bits(a[i], b[i])) << what << ", parameter " << i << "\n"
                                       << to_string(a[i]) << "\n"
                                       << to_string(b[i]);
}

class Accumulation : public testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, Accumulation, testing::Values(DType::f64, DType::f32),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST_P(Accumulation, IsTheLargeBatchToTheBit) {
  const auto whole = gradients(GetParam(), 8, false, false);
  for (const auto& g : whole)
    EXPECT_NE(g.to_vector<double>(), std::vector<double>(static_cast<std::size_t>(g.numel()), 0.0));
  expect_same(whole, gradients(GetParam(), 4, false, false), "4 + 4");
  expect_same(whole, gradients(GetParam(), 2, false, false), "2 + 2 + 2 + 2");
  expect_same(whole, gradients(GetParam(), 1, false, false), "8 x 1");
  expect_same(whole, gradients(GetParam(), 1, true, false), "8 x 1 without padding");
}

TEST_P(Accumulation, IsNotChangedByRecomputation) {
  const auto plain = gradients(GetParam(), 8, false, false);
  expect_same(plain, gradients(GetParam(), 8, false, true), "checkpoint");
  expect_same(plain, gradients(GetParam(), 4, false, true), "checkpoint, 4 + 4");
  expect_same(plain, gradients(GetParam(), 1, true, true), "checkpoint, 8 x 1 without padding");
}

TEST_P(Accumulation, IsNotChangedByThreads) {
  const int before = num_threads();
  const auto many = gradients(GetParam(), 8, false, false);
  set_num_threads(1);
  expect_same(many, gradients(GetParam(), 8, false, false), "one thread");
  set_num_threads(before);
}

// Single pieces, so that a failure above is found quickly: f(x, parameters) seeded with zero rows for padding.
using Piece = std::function<Var(const Var&, const Var&)>;

void expect_folds(const Piece& f, const Shape& parameter, DType dtype) {
  const Tensor x = numbers({examples, longest, width}, 9, dtype);
  const auto collect = [&](std::int64_t at_once, bool trimmed) {
    const Var p = Var::leaf(numbers(parameter, 10, dtype));
    for (std::int64_t i = 0; i < examples; i += at_once) {
      const Tensor part = x.slice(0, i, i + at_once).slice(1, 0, trimmed ? lengths[i] : longest);
      const Var y = f(Var(part), p);
      const Tensor seed = Tensor::zeros(y.shape(), y.dtype());
      for (std::int64_t k = 0; k < at_once; ++k) {
        Tensor rows = seed.select(0, k).slice(0, 0, lengths[i + k]);
        rows.copy_(numbers(rows.shape(), static_cast<int>(i + k), y.dtype()));
      }
      backward({{y, seed}});
    }
    return p.grad();
  };
  const Tensor whole = collect(8, false);
  EXPECT_TRUE(same_bits(whole, collect(4, false))) << "4 + 4";
  EXPECT_TRUE(same_bits(whole, collect(1, false))) << "8 x 1";
  EXPECT_TRUE(same_bits(whole, collect(1, true))) << "8 x 1 without padding";
}

TEST_P(Accumulation, OfALinearWeight) {
  expect_folds([](const Var& x, const Var& w) { return linear(x, w); }, {hidden, width}, GetParam());
}
TEST_P(Accumulation, OfALinearBias) {
  expect_folds(
      [](const Var& x, const Var& b) {
        return linear(x, Var(numbers({hidden, width}, 11, x.dtype())), b);
      },
      {hidden}, GetParam());
}
TEST_P(Accumulation, OfANormsGain) {
  expect_folds([](const Var& x, const Var& g) { return normalise(x, g, {}, {}); }, {width}, GetParam());
}
TEST_P(Accumulation, OfANormsBias) {
  expect_folds([](const Var& x, const Var& b) { return normalise(x, {}, b, {.center = false}); }, {width}, GetParam());
}
TEST_P(Accumulation, OfABroadcastFactor) {
  expect_folds([](const Var& x, const Var& p) { return x * p; }, {width}, GetParam());
}
TEST_P(Accumulation, OfABroadcastColumn) {
  expect_folds([](const Var& x, const Var& p) { return x + x * p; }, {1}, GetParam());
}
TEST_P(Accumulation, OfASingleNumber) {
  expect_folds([](const Var& x, const Var& p) { return x * p; }, {}, GetParam());
}
TEST_P(Accumulation, OfAProductsSecondFactor) {
  expect_folds([](const Var& x, const Var& w) { return matmul(x, w); }, {width, hidden}, GetParam());
}

}  // namespace
}  // namespace plumb
