// The perceptron against plain loops, its gradient, what its parameters say of themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/gradcheck.h"
#include "models/mlp.h"
#include "tests/files_support.h"
#include "tests/plain_layers.h"

namespace plumb::models {
namespace {

using test::error_of;
using testing::HasSubstr;

TEST(Perceptron, IsLayersWithAnActivationBetween) {
  for (const std::string kind : {"relu", "gelu", "gelu_tanh", "silu"})
    for (const bool bias : {false, true}) {
      Mlp model({.widths = {3, 7, 5, 2}, .activation = nn::parse_activation(kind), .bias = bias});
      nn::Arena arena(model, Key(1), DType::f64);
      plain::scramble(arena, Key(2));
      const plain::Weights w(model);
      const Tensor x = Key(3).normal({4, 3}, 0, 1, DType::f64);
      const auto got = model.activations(x);
      ASSERT_EQ(got.size(), 3u);
      plain::Rows y(x);
      for (int i = 0; i < 3; ++i) {
        const std::string name = fmt::format("layers.{}.", i);
        y = plain::linear(y, w.rows(name + "weight"), w.values(name + "bias"));
        for (double& z : y.v) z = i < 2 ? plain::activation(kind, z) : z;
        const auto values = got[static_cast<std::size_t>(i)].value().to_vector<double>();
        for (std::size_t k = 0; k < values.size(); ++k) ASSERT_NEAR(values[k], y.v[k], 1e-12) << kind << " layer " << i;
      }
      EXPECT_TRUE(same_bits(model(x).value(), got.back().value()));
    }
}

TEST(Perceptron, HasTheGradientOfItsDifferences) {
  Mlp model({.widths = {3, 4, 2}, .activation = nn::Activation::gelu});
  nn::Arena arena(model, Key(1), DType::f64);
  std::vector<Tensor> start;
  for (const auto& s : arena.slots()) start.push_back(arena.value(s).clone());
  const Tensor x = Key(3).normal({5, 3}, 0, 1, DType::f64);
  const auto result = gradcheck(
      [&](const std::vector<Var>& in) {
        for (std::size_t i = 0; i < in.size(); ++i) arena.slots()[i].parameter->var = in[i];
        return model(x);
      },
      start);
  EXPECT_TRUE(result.ok) << result.report;
}

TEST(Perceptron, RolesFollowThePlaceOfALayer) {
  Mlp model({.widths = {3, 7, 5, 2}, .bias = false});
  std::vector<std::string> roles;
  for (const auto* p : model.parameters()) roles.push_back(fmt::format("{} {}", p->name, name_of(p->role)));
  EXPECT_THAT(roles, testing::ElementsAre("layers.0.weight input", "layers.1.weight hidden", "layers.2.weight output"));
}

TEST(Perceptron, MistakesAreNamed) {
  EXPECT_THAT(error_of([] { Mlp({.widths = {3}}); }), HasSubstr("at least an input and an output width"));
  EXPECT_THAT(error_of([] { Mlp({.widths = {3, 0, 2}}); }), HasSubstr("from 3 to 0 makes no sense"));
  EXPECT_THAT(error_of([] { Mlp({.activation = nn::Activation::swiglu}); }), HasSubstr("swiglu"));
}

}  // namespace
}  // namespace plumb::models
