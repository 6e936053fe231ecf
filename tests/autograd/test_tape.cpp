// The tape: what is recorded, in which order gradients add up, when saved values are freed, and what errors say.
#include <gtest/gtest.h>

#include "autograd/backward.h"
#include "autograd/node.h"
#include "autograd/ops.h"

namespace plumb {
namespace {

Tensor vector(std::initializer_list<double> values) { return Tensor::of<double>(values); }
std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }

template <class F>
std::string complaint(F&& f) {
  try {
    f();
  } catch (const UserError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Tape, AddsTheGradientsOfASharedSubexpression) {
  const Var x = Var::leaf(vector({2, 3}));
  const Var square = x * x;
  backward(sum(square * square + square));  // x^4 + x^2
  EXPECT_EQ(numbers(x.grad()), (std::vector<double>{4 * 8 + 4, 4 * 27 + 6}));
}

TEST(Tape, HearsConsumersFromTheLastToTheFirst) {
  const Var x = Var::leaf(Tensor::scalar(1));  // f32
  const Var middle = x * 1.0;
  const Var a = middle * 1e8, b = middle * 1.0, c = middle * -1e8;
  backward(std::vector<Root>{{b, {}}, {a, {}}, {c, {}}});  // the order of roots does not matter
  const float last_first = (-1e8f + 1.0f) + 1e8f;
  EXPECT_EQ(static_cast<float>(x.grad().item()), last_first);
}

TEST(Tape, GivesALeafWithSeveralUsesOneAccumulatorEach) {
  const Var x = Var::leaf(Tensor::scalar(1));
  const auto step = [&](double slope_of_first_use) {
    const Var first = x * slope_of_first_use, second = x * 1.0;
    backward(first + second);
  };
  step(1e8);
  step(-1e8);  // one sum would have lost the ones
  EXPECT_EQ(x.grad().item(), 2);
}

TEST(Tape, KeepsNothingUnderNoGrad) {
  const Var x = Var::leaf(vector({1, 2}));
  Var inside;
  {
    const NoGrad off;
    EXPECT_FALSE(grad_enabled());
    inside = x * x;
    {
      const GradMode on(true);
      EXPECT_TRUE((x * x).requires_grad());
    }
    EXPECT_FALSE(grad_enabled());
  }
  EXPECT_TRUE(grad_enabled());
  EXPECT_FALSE(inside.requires_grad());
  EXPECT_FALSE((Var(vector({1})) * 2.0).requires_grad());
}

TEST(Tape, StopsAtDetach) {
  const Var x = Var::leaf(vector({3}));
  const Var y = x * x;
  EXPECT_FALSE(y.detach().requires_grad());
  backward(sum(y.detach() * x));
  EXPECT_EQ(x.grad().item(), 9);
}

TEST(Tape, RefusesASecondBackwardUnlessToldToRetain) {
  const Var x = Var::leaf(vector({3}));
  const Var kept = sum(x * x);
  backward(kept, true);
  backward(kept);
  EXPECT_EQ(x.grad().item(), 12);
  EXPECT_EQ(complaint([&] { backward(kept); }),
            "[sum] its saved values were freed by an earlier backward(); pass retain = true to the first one");
}

TEST(Tape, FreesSavedValuesOnTheWay) {
  const Tensor big = Tensor::zeros({1000}, DType::f64);
  const Var x = Var::leaf(vector({3}));
  const Var y = sum(x * Var(big));
  EXPECT_FALSE(big.storage().unique());
  backward(y);
  EXPECT_TRUE(big.storage().unique());
}

TEST(Tape, NamesTheOperatorWhoseSavedInputWasChanged) {
  Tensor values = vector({1, 2});
  const Var x = Var::leaf(values);
  const Var y = sum(x * x);
  values.fill_(5);
  EXPECT_EQ(complaint([&] { backward(y); }),
            "[mul] input 1 [2] was changed in place after the operator used it; its gradient would be wrong");
}

TEST(Tape, NamesTheOperatorWhoseSavedOutputWasChanged) {
  const Var x = Var::leaf(vector({1, 2}));
  const Var y = exp(x);
  Tensor(y.value()).fill_(5);
  EXPECT_EQ(complaint([&] { backward(sum(y)); }),
            "[exp] its output [2] was changed in place; its gradient would be wrong");
}

TEST(Tape, LetsChangeWhatNoRuleReads) {
  const Var x = Var::leaf(vector({1, 2}));
  const Var y = x + x;
  Tensor(y.value()).fill_(5);
  backward(sum(y));
  EXPECT_EQ(numbers(x.grad()), (std::vector<double>{2, 2}));
}

TEST(Tape, WalksAndFreesALongChainWithoutRecursion) {
  constexpr int length = 100'000;
  const Var x = Var::leaf(vector({1}));
  Var y = x;
  for (int i = 0; i < length; ++i) y = y + 1.0;
  EXPECT_EQ(y.item(), 1 + length);
  backward(y);
  EXPECT_EQ(x.grad().item(), 1);
  y = x;
  for (int i = 0; i < length; ++i) y = y * 1.0;  // freed unused
}

TEST(Tape, FreesAWideFanWithoutRecursion) {
  const Var x = Var::leaf(vector({1}));
  std::vector<Var> parts;
  for (int i = 0; i < 20'000; ++i) parts.push_back(x * 1.0);
  backward(sum(concat(parts, 0)));
  EXPECT_EQ(x.grad().item(), 20'000);
}

TEST(Backward, AddsRootsWithTheirSeeds) {
  const Var x = Var::leaf(vector({2, 3}));
  const Var y = x * x;
  backward(std::vector<Root>{{y, vector({1, 10})}, {sum(y), Tensor::scalar(100, DType::f64)}});
  EXPECT_EQ(numbers(x.grad()), (std::vector<double>{4 + 400, 60 + 600}));
}

TEST(Backward, AddsToWhatTheLeafHoldsUntilZeroed) {
  const Var x = Var::leaf(vector({2, 3}));
  EXPECT_EQ(numbers(x.grad()), (std::vector<double>{0, 0}));
  backward(sum(x * x));
  backward(sum(x));
  EXPECT_EQ(numbers(x.grad()), (std::vector<double>{5, 7}));
  x.zero_grad();
  EXPECT_EQ(numbers(x.grad()), (std::vector<double>{0, 0}));
  backward(sum(x));
  EXPECT_EQ(numbers(x.grad()), (std::vector<double>{1, 1}));
}

TEST(Backward, CollectsWhereItWasTold) {
  const Tensor arena = Tensor::zeros({5}, DType::f64);
  const Var x = Var::leaf(vector({2, 3}), arena.slice(0, 1, 3));
  backward(sum(x * x));
  x.grad();
  EXPECT_EQ(numbers(arena), (std::vector<double>{0, 4, 6, 0, 0}));
}

TEST(Backward, ReachesALeafThatIsTheRoot) {
  const Var x = Var::leaf(Tensor::scalar(7, DType::f64));
  backward(x);
  EXPECT_EQ(x.grad().item(), 1);
}

TEST(Backward, SaysWhatIsMissing) {
  const Var x = Var::leaf(vector({1, 2}));
  EXPECT_EQ(complaint([&] { backward(x * x); }),
            "[backward] a value of shape [2] needs a seed: only a single number can be differentiated without one");
  EXPECT_EQ(complaint([&] { backward({{x * x, vector({1})}}); }), "[backward] seed [1] does not fit value [2]");
  EXPECT_EQ(complaint([&] {
              backward({{x * x, Tensor::full({2}, 1)}});
            }),
            "[backward] seed f32 does not fit value f64");
  EXPECT_EQ(complaint([&] { backward(Var(vector({1}))); }),
            "[backward] the loss depends on nothing that collects a gradient");
  EXPECT_EQ(complaint([&] { (x * x).grad(); }),
            "[grad] only a leaf collects a gradient; use plumb::grad() for other values");
  EXPECT_EQ(complaint([&] { Var::leaf(Tensor::zeros({2}, DType::i64), {}, "tokens"); }),
            "[leaf] tokens i64 cannot have a gradient: its dtype is not floating");
}

TEST(Backward, LeavesNoScratchBehindAfterAnError) {
  Tensor values = vector({1, 2});
  const Var x = Var::leaf(vector({3, 4}));
  const Var middle = x * 2.0;
  const Var bad = middle * Var(values);
  const Var good = middle * 10.0;
  values.fill_(5);
  EXPECT_NE(complaint([&] { backward(sum(bad + good), true); }), "no error");
  x.zero_grad();
  backward(sum(good));
  EXPECT_EQ(numbers(x.grad()), (std::vector<double>{20, 20}));
}

TEST(Grad, GivesValuesAndLeavesLeavesAlone) {
  const Var x = Var::leaf(vector({2})), unrelated = Var::leaf(vector({1, 1, 1}));
  const Var y = x * x, z = sum(y * y);
  const auto g = grad(z, {y, x, unrelated, x});
  EXPECT_EQ(g[0].item(), 2 * 4);
  EXPECT_EQ(g[1].item(), 4 * 8);
  EXPECT_EQ(numbers(g[2].value()), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(g[3].item(), 4 * 8);
  EXPECT_EQ(x.grad().item(), 0);
  EXPECT_FALSE(g[1].requires_grad());
  backward(z);  // grad() freed nothing
  EXPECT_EQ(x.grad().item(), 32);
}

TEST(Grad, DifferentiatesItsOwnResult) {
  const Var x = Var::leaf(vector({2, 3}));
  const Var slope = grad(sum(x * x * x), {x}, true)[0];
  EXPECT_EQ(numbers(slope.value()), (std::vector<double>{12, 27}));
  const Var curve = grad(sum(slope), {x}, true)[0];
  EXPECT_EQ(numbers(curve.value()), (std::vector<double>{12, 18}));
  EXPECT_EQ(numbers(grad(sum(curve), {x})[0].value()), (std::vector<double>{6, 6}));
  backward(sum(slope * slope));  // a gradient penalty: 9 x^4
  EXPECT_EQ(numbers(x.grad()), (std::vector<double>{36 * 8, 36 * 27}));
}

TEST(Grad, TakesSeeds) {
  const Var x = Var::leaf(vector({2, 3}));
  const auto g = grad(std::vector<Var>{x * x}, {x}, false, {Var(vector({1, 10}))});
  EXPECT_EQ(numbers(g[0].value()), (std::vector<double>{4, 60}));
  EXPECT_EQ(complaint([&] { grad(x * x, {x}); }), "[grad] a value of shape [2] needs a seed");
}

TEST(Dtypes, NarrowLeavesCollectInF32) {
  const Var w = Var::leaf(Tensor::full({3}, 1, DType::bf16));
  backward(sum(w * 3.0));
  EXPECT_EQ(w.grad().dtype(), DType::f32);
  EXPECT_EQ(numbers(w.grad()), (std::vector<double>{3, 3, 3}));
}

TEST(Dtypes, ConversionsCarryGradientsBack) {
  for (const DType from : {DType::f64, DType::f32, DType::bf16})
    for (const DType through : {DType::f64, DType::f32, DType::bf16}) {
      const Var x = Var::leaf(Tensor::full({2}, 1.5, from));
      const Var y = to(x, through);
      EXPECT_EQ(y.dtype(), through);
      backward(sum(y * y));
      EXPECT_EQ(numbers(x.grad()), (std::vector<double>{3, 3}));
    }
}

TEST(Dtypes, Bf16WeightsMultiplyF32Activations) {
  const Tensor x_values = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const Var x = Var::leaf(x_values), w = Var::leaf(Tensor::full({4, 3}, 0.5, DType::bf16));
  const Var y = linear(x, w);
  EXPECT_EQ(y.dtype(), DType::f32);
  EXPECT_EQ(numbers(y.value()), (std::vector<double>{3, 3, 3, 3, 7.5, 7.5, 7.5, 7.5}));
  backward(sum(y), true);
  EXPECT_EQ(numbers(x.grad()), std::vector<double>(6, 2.0));
  EXPECT_EQ(w.grad().dtype(), DType::f32);
  EXPECT_EQ(numbers(w.grad().slice(0, 0, 1)), (std::vector<double>{5, 7, 9}));
  EXPECT_EQ(complaint([&] { grad(sum(y), {x}, true); }),
            "[linear] second derivatives are not offered for bf16 products; use f32");
}

TEST(Ties, ShareTheGradient) {
  const Var a = Var::leaf(vector({1, 2, 3})), b = Var::leaf(vector({1, 3, 2}));
  backward(sum(maximum(a, b)));
  EXPECT_EQ(numbers(a.grad()), (std::vector<double>{0.5, 0, 1}));
  EXPECT_EQ(numbers(b.grad()), (std::vector<double>{0.5, 1, 0}));
  const Var c = Var::leaf(vector({4, 7, 7, 4}));
  backward(max(c, 0) + min(c, 0));
  EXPECT_EQ(numbers(c.grad()), (std::vector<double>{1, 1, 0, 0}));
  const Var d = Var::leaf(vector({-2, -1, 0, 1, 2}));
  backward(sum(clamp(d, -1, 1) + relu(d) + abs(d)));
  EXPECT_EQ(numbers(d.grad()), (std::vector<double>{-1, 0, 1, 3, 2}));
}

}  // namespace
}  // namespace plumb
