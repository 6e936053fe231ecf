// Blame: a NaN or an infinity is traced to the operator that made it, its place in the model, and the index.
#include <gtest/gtest.h>

#include <limits>

#include "autograd/backward.h"
#include "autograd/blame.h"
#include "autograd/checkpoint.h"
#include "autograd/ops.h"

namespace plumb {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Found {
  std::string op, scope, text;
  bool in_gradient = false;
  std::int64_t index = -1;
};

template <class F>
Found culprit(F&& f) {
  try {
    const Blame on;
    f();
  } catch (const NonFinite& e) {
    return {e.op, e.scope, e.what(), e.in_gradient, e.index};
  }
  return {};
}

TEST(Blame, NamesOperatorScopeAndIndexOfAForwardValue) {
  const Var x = Var::leaf(Tensor::from(std::vector<double>{1, 2, 3, 4, -5, 6}, {2, 3}));
  const Found found = culprit([&] {
    const Scope block("blocks.3"), part("attn");
    sum(log(x) * 2.0);
  });
  EXPECT_EQ(found.op, "log");
  EXPECT_EQ(found.scope, "blocks.3.attn");
  EXPECT_EQ(found.index, 4);
  EXPECT_FALSE(found.in_gradient);
  EXPECT_NE(found.text.find("[log] made NaN"), std::string::npos) << found.text;
  EXPECT_NE(found.text.find("at index 4 of its output [2,3]"), std::string::npos) << found.text;
}

TEST(Blame, TellsInfinityFromNaN) {
  const Found found = culprit([&] { exp(Var(Tensor::of<double>({0, 1000}))); });
  EXPECT_EQ(found.index, 1);
  EXPECT_NE(found.text.find("[exp] made infinity"), std::string::npos) << found.text;
}

TEST(Blame, NamesTheOperatorWhoseRuleMadeABadGradient) {
  const Var x = Var::leaf(Tensor::of<double>({4, 9, 0, 1}));
  const Found found = culprit([&] {
    Var root;
    {
      const Scope part("blocks.1"), inner("norm");
      root = sqrt(x * 1.0);
    }
    backward(sum(root * 2.0));
  });
  EXPECT_EQ(found.op, "sqrt");
  EXPECT_EQ(found.scope, "blocks.1.norm");
  EXPECT_EQ(found.index, 2);
  EXPECT_TRUE(found.in_gradient);
}

TEST(Blame, SeesGradientsThatGoStraightIntoLeaves) {
  const Var x = Var::leaf(Tensor::of<double>({4, 0}));
  EXPECT_EQ(culprit([&] { backward(sum(sqrt(x))); }).op, "sqrt");
  const Var w = Var::leaf(Tensor::full({2, 2}, 1));
  const Var big = Var(Tensor::full({3, 2}, 3e38));  // products fit, their sum over rows does not
  const Found found = culprit([&] { backward({{linear(big * 0.1, w), Tensor::full({3, 2}, 10)}}); });
  EXPECT_EQ(found.op, "linear");
  EXPECT_TRUE(found.in_gradient);
}

TEST(Blame, LooksIntoRecomputation) {
  const Var x = Var::leaf(Tensor::of<double>({4, 9, 0}));
  const Found found = culprit([&] {
    Var y;
    {
      const Scope block("blocks.2");
      y = checkpoint(
          [](const std::vector<Var>& v) {
            const Scope part("mlp");
            return sqrt(v[0]) * 3.0;
          },
          {x});
    }
    backward(sum(y));
  });
  EXPECT_EQ(found.op, "sqrt");
  EXPECT_EQ(found.scope, "blocks.2.mlp");
  EXPECT_EQ(found.index, 2);
}

TEST(Blame, LetsRulesPassThroughInfinity) {
  const Var x =
      Var::leaf(Tensor::of<double>({-1000, -1}));  // expm1(1000) is infinite, its reciprocal is the gradient 0
  EXPECT_EQ(culprit([&] { backward(sum(log1m_exp(x))); }).op, "");
  EXPECT_EQ(x.grad().to_vector<double>()[0], 0);
}

TEST(Blame, SeesABadSeed) {
  const Var x = Var::leaf(Tensor::of<double>({1, 2}));
  const Found found = culprit([&] { backward({{x * 2.0, Tensor::of<double>({1, infinity})}}); });
  EXPECT_EQ(found.op, "mul");
  EXPECT_EQ(found.index, 1);
}

TEST(Blame, IsSilentWhereAllIsFiniteOrWhenOff) {
  const Var x = Var::leaf(Tensor::of<double>({1, 4}));
  EXPECT_EQ(culprit([&] { backward(sum(sqrt(x) * log(x))); }).op, "");
  const Var y = log(x - 4.0);  // NaN and -inf, nobody asks
  backward(sum(y));
}

TEST(Blame, ChangesNoGradient) {
  const auto gradients = [](bool blamed) {
    const Var table = Var::leaf(Tensor::full({4, 3}, 0.5)), w = Var::leaf(Tensor::full({2, 3}, 0.25));
    const Tensor tokens = Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3, 1, 1}, {2, 3});
    std::unique_ptr<Blame> on(blamed ? new Blame : nullptr);
    backward(sum(tanh(linear(embedding(table, tokens), w))));
    return std::vector<Tensor>{table.grad(), w.grad()};
  };
  const auto plain = gradients(false), inspected = gradients(true);
  for (int i = 0; i < 2; ++i) {
    const auto a = plain[static_cast<std::size_t>(i)].to_vector<double>(),
               b = inspected[static_cast<std::size_t>(i)].to_vector<double>();
    for (std::size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-6);
  }
}

TEST(Scope, JoinsWithDotsAndUnwinds) {
  EXPECT_EQ(current_scope(), "");
  const Scope a("a");
  try {
    const Scope b("b");
    EXPECT_EQ(current_scope(), "a.b");
    throw 1;
  } catch (int) {
  }
  EXPECT_EQ(current_scope(), "a");
}

}  // namespace
}  // namespace plumb
