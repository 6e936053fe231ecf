// What a parametrization tells the optimiser, and the weights of the branches of the stream.
#include <gtest/gtest.h>

#include <cmath>

#include "nn/layers.h"
#include "optim/optimizer.h"
#include "optim/parametrization.h"

namespace plumb::optim {
namespace {

// Decay shrinks a tensor by lr * lambda, or lambda, whatever the learning rate of the tensor itself.
TEST(Parametrization, LeavesTheDecayOfATensorAlone) {
  for (const DecayMode mode : {DecayMode::coupled, DecayMode::independent})
    for (const Rule rule : {Rule::adamw, Rule::lion, Rule::sgd}) {
      nn::Linear wide(16, 3), base(4, 3);
      parametrise(wide, base, {.parametrization = Parametrization::mup_table3, .sgd = rule == Rule::sgd});
      EXPECT_EQ(wide.weight_parameter.lr_multiplier, 0.25);
      nn::Arena arena(wide, Key(1), DType::f64);
      const auto before = arena.values().to_vector<double>();
      Optimizer optimizer(arena, {.rule = rule, .weight_decay = 0.25, .decay_mode = mode});
      optimizer.step(0.5, 0.5);  // all gradients are zero
      const auto after = arena.values().to_vector<double>();
      for (std::size_t i = 0; i < before.size(); ++i)
        ASSERT_DOUBLE_EQ(after[i], before[i] * (mode == DecayMode::coupled ? 0.875 : 0.75));
    }
}

// The package's rule for matrices that grow in one direction more than in the other.
TEST(Parametrization, OfAHiddenMatrixUnderSgdFollowsBothOfItsSides) {
  nn::Linear wide(8, 48), base(4, 6);
  parametrise(wide, base, {.parametrization = Parametrization::mup_table8, .sgd = true});
  EXPECT_EQ(wide.weight_parameter.lr_multiplier, 4);
  EXPECT_EQ(wide.weight_parameter.base_fan_in, 4);
  EXPECT_EQ(wide.weight_parameter.base_fan_out, 6);
}

TEST(Parametrization, ScalesLearningRatesOfBranchesByDepth) {
  const auto lr = [](DepthRule rule, bool sgd, bool in_branch) {
    const nn::Linear wide(8, 8), base(4, 4);
    nn::Parameter p = wide.weight_parameter;
    p.in_branch = in_branch;
    return scales_of(p, base.weight_parameter,
                     {.parametrization = Parametrization::mup_table3, .depth_rule = rule, .base_layers = 2, .sgd = sgd},
                     32)
        .lr;
  };
  EXPECT_EQ(lr(DepthRule::none, false, true), 0.5);
  EXPECT_EQ(lr(DepthRule::sqrt, false, true), 0.125);
  EXPECT_EQ(lr(DepthRule::completep, false, true), 0.5);
  EXPECT_EQ(lr(DepthRule::sqrt, true, true), 1);
  EXPECT_EQ(lr(DepthRule::completep, true, true), 16);
  EXPECT_EQ(lr(DepthRule::sqrt, false, false), 0.5);
}

// At the end of 2 L branches of u-muP the embedding and all of attention and networks weigh the same.
TEST(Parametrization, UnitScalingGivesEveryBranchTheSameShareOfTheStream) {
  const Scaling unit{.parametrization = Parametrization::u_mup};
  constexpr std::int64_t layers = 5;
  double embedding = 1;  // shares of the variance
  std::vector<double> branches;
  for (std::int64_t i = 0; i < 2 * layers; ++i) {
    const Residual r = residual_of(unit, layers, i);
    EXPECT_NEAR(r.skip * r.skip + r.branch * r.branch, 1, 1e-15);
    embedding *= r.skip * r.skip;
    for (double& b : branches) b *= r.skip * r.skip;
    branches.push_back(r.branch * r.branch);
  }
  for (const double b : branches) EXPECT_NEAR(b, branches[0], 1e-15);
  EXPECT_NEAR(embedding, layers * branches[0], 1e-15);
}

}  // namespace
}  // namespace plumb::optim
