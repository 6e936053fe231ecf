// Packed runs: a parameter with a leading run axis gives each run the bits of the lone run, values and gradients.
#include <gtest/gtest.h>

#include "autograd/backward.h"
#include "autograd/ops.h"

namespace plumb {
namespace {

constexpr std::int64_t runs = 3, examples = 4, rows = 5, width = 19, vocab = 23;

Tensor numbers(const Shape& shape, int seed, DType dtype) {
  std::vector<double> v(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::sin(static_cast<double>(i * i + 3) * 0.3 + seed);
  return Tensor::from(v, shape).to(dtype);
}

Tensor tokens(std::int64_t low) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < runs * examples * rows; ++i) v.push_back(low + (i * i * 7 + i) % (vocab - low));
  return Tensor::from(v, {runs, examples, rows});
}

// f(activations, parameters, index). Inputs carry the run axis first; a lone run gets its part of each.
using Layer = std::function<Var(const Var& x, const std::vector<Var>& parameters, const Tensor& index)>;

struct Result {
  Tensor value;
  std::vector<Tensor> gradients;
};

Result run(const Layer& f, const Tensor& x, const std::vector<Tensor>& parameters, const Tensor& index) {
  std::vector<Var> leaves;
  for (const auto& p : parameters) leaves.push_back(Var::leaf(p));
  const Var input = Var::leaf(x), y = f(input, leaves, index);
  const Tensor all = numbers({runs, y.numel()}, 9, y.dtype());  // the same seed for every run
  const bool packed = x.dim() == 4;
  const std::int64_t each = packed ? y.numel() / runs : y.numel();
  // token_logprobs puts its own axis before the run axis.
  const bool stacked = y.dim() > 0 && y.size(0) == 2;
  const Tensor one = all.slice(0, 0, 1).slice(1, 0, each).contiguous();
  Tensor seed = Tensor::empty(y.shape(), y.dtype());
  if (!packed) seed.copy_(one.reshape(y.shape()));
  for (std::int64_t r = 0; packed && r < runs; ++r) {
    Tensor part = seed.select(stacked ? 1 : 0, r);
    part.copy_(one.reshape(part.shape()));
  }
  backward({{y, seed}});
  Result out{stacked && packed ? y.value().transpose(0, 1) : y.value(), {input.grad()}};
  for (const auto& l : leaves) out.gradients.push_back(l.grad());
  return out;
}

void expect_lone_bits(const Layer& f, const std::vector<Shape>& parameters, std::int64_t lowest_index = 0) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    SCOPED_TRACE(name_of(dtype));
    const Tensor x = numbers({runs, examples, rows, width}, 1, dtype), index = tokens(lowest_index);
    std::vector<Tensor> packed;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      Shape shape = parameters[i];
      shape.insert(0, runs);
      packed.push_back(numbers(shape, static_cast<int>(i) + 2, dtype));
    }
    const Result together = run(f, x, packed, index);
    for (std::int64_t r = 0; r < runs; ++r) {
      SCOPED_TRACE(r);
      std::vector<Tensor> own;
      for (const auto& p : packed) own.push_back(p.select(0, r));
      const Result alone = run(f, x.select(0, r), own, index.select(0, r));
      EXPECT_TRUE(same_bits(together.value.select(0, r), alone.value)) << "value";
      for (std::size_t i = 0; i < alone.gradients.size(); ++i)
        EXPECT_TRUE(same_bits(together.gradients[i].select(0, r), alone.gradients[i])) << "gradient " << i;
    }
  }
}

TEST(Packed, LinearLayers) {
  expect_lone_bits([](const Var& x, const std::vector<Var>& p, const Tensor&) { return linear(x, p[0], p[1]); },
                   {{31, width}, {31}});
}

TEST(Packed, Norms) {
  for (const bool center : {true, false})
    expect_lone_bits([center](const Var& x, const std::vector<Var>& p,
                              const Tensor&) { return normalise(x, p[0], p[1], {.center = center}); },
                     {{width}, {width}});
}

TEST(Packed, Embeddings) {
  expect_lone_bits(
      [](const Var& x, const std::vector<Var>& p, const Tensor& index) { return embedding(p[0], index) * x; },
      {{vocab, width}});
}

TEST(Packed, Heads) {
  expect_lone_bits([](const Var& x, const std::vector<Var>& p,
                      const Tensor& labels) { return token_logprobs(x, p[0], p[1], labels, {.softcap = 5}); },
                   {{vocab, width}, {vocab}}, -2);
}

}  // namespace
}  // namespace plumb
