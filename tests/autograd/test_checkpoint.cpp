// Recomputation: the same bits as the plain pass, with parameters inside, nested, and for second derivatives.
#include <gtest/gtest.h>

#include "autograd/checkpoint.h"
#include "autograd/ops.h"

namespace plumb {
namespace {

Tensor numbers(const Shape& shape, int seed) {
  std::vector<double> v(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::cos(static_cast<double>(i * 3 + 1) * 0.9 + seed);
  return Tensor::from(v, shape).to(DType::f32);
}

struct Layers {
  Var x = Var::leaf(numbers({3, 4, 5}, 1)), w = Var::leaf(numbers({5, 5}, 2)), bias = Var::leaf(numbers({5}, 3)),
      scale = Var::leaf(numbers({5}, 4));
  Var layer(const Var& v) const { return tanh(linear(v, w, bias)) * scale; }
  std::vector<Tensor> gradients() const { return {x.grad(), w.grad(), bias.grad(), scale.grad()}; }
};

// Leaf gradients of sum(y * y) under a way of calling f(inputs).
template <class Call>
std::vector<Tensor> gradients_of(Call&& call) {
  const Layers l;
  const Var y = call(l);
  backward(sum(y * y) + sum(l.w * l.scale));  // parameters are used outside too
  return l.gradients();
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same_bits(a[i], b[i])) << "leaf " << i;
}

TEST(Checkpoint, CollectsTheBitsOfThePlainPass) {
  const auto plain = gradients_of([](const Layers& l) { return l.layer(l.layer(l.x)); });
  expect_same(plain, gradients_of([](const Layers& l) {
                return checkpoint([&l](const std::vector<Var>& v) { return l.layer(l.layer(v[0])); }, {l.x});
              }));
  expect_same(plain, gradients_of([](const Layers& l) {
                const auto one = [&l](const std::vector<Var>& v) { return l.layer(v[0]); };
                return checkpoint(one, {checkpoint(one, {l.x})});
              }));
}

TEST(Checkpoint, Nests) {
  const auto plain = gradients_of([](const Layers& l) { return l.layer(l.layer(l.x)); });
  expect_same(plain, gradients_of([](const Layers& l) {
                const auto inner = [&l](const std::vector<Var>& v) { return l.layer(v[0]); };
                return checkpoint(
                    [inner](const std::vector<Var>& v) { return checkpoint(inner, {checkpoint(inner, v)}); }, {l.x});
              }));
}

TEST(Checkpoint, CollectsForParametersWhenNoInputHasAGradient) {
  const auto run = [](bool recompute) {
    const Layers l;
    const auto f = [&l](const std::vector<Var>& v) { return l.layer(v[0]); };
    const Var data(l.x.value());
    backward(sum(recompute ? checkpoint(f, {data}) : f({data})));
    return std::vector<Tensor>{l.w.grad(), l.bias.grad(), l.scale.grad()};
  };
  expect_same(run(false), run(true));
}

TEST(Checkpoint, KeepsOnlyItsInputs) {
  const Layers l;
  std::vector<Tensor> inside;
  const Var y = checkpoint(
      [&](const std::vector<Var>& v) {
        const Var h = exp(v[0]);
        inside.push_back(h.value());
        return h * h;
      },
      {l.x});
  ASSERT_EQ(inside.size(), 1u);
  EXPECT_TRUE(inside[0].storage().unique());
  backward(sum(y));
  EXPECT_EQ(inside.size(), 2u);  // ran once more
  EXPECT_TRUE(same_bits(inside[0], inside[1]));
}

TEST(Checkpoint, IsPlainUnderNoGrad) {
  const NoGrad off;
  const Layers l;
  EXPECT_FALSE(checkpoint([](const std::vector<Var>& v) { return exp(v[0]); }, {l.x}).requires_grad());
}

TEST(Checkpoint, GivesSecondDerivativesOfItsInputs) {
  const auto penalty = [](bool recompute) {
    const Layers l;
    const auto f = [](const std::vector<Var>& v) { return tanh(v[0]) * v[0]; };
    const Var y = recompute ? checkpoint(f, {l.x}) : f({l.x});
    backward(sum(square(grad(sum(y), {l.x}, true)[0])));
    return l.x.grad();
  };
  EXPECT_TRUE(same_bits(penalty(false), penalty(true)));
}

}  // namespace
}  // namespace plumb
