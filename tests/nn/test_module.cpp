// Modules and the arena: names, roles, first values and their statistics, the way of a state out and back in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/backward.h"
#include "nn/layers.h"
#include "tests/files_support.h"

namespace plumb::nn {
namespace {

using test::error_of;
using testing::HasSubstr;

struct Pair final : Module {
  Linear first{5, 3, {.bias = true}};
  Norm norm{3, {.bias = true}};
  std::vector<std::unique_ptr<Linear>> list;
  State seen{Tensor::zeros({2}), {}};
  Pair() {
    for (int i = 0; i < 2; ++i) list.push_back(std::make_unique<Linear>(3, 3));
  }
  void members(Members& m) override {
    m("first", first);
    m("norm", norm);
    m("list", list);
    m("seen", seen);
  }
};

TEST(Module, NamesArePathsInTheOrderOfMembers) {
  Pair module;
  std::vector<std::string> names;
  for (const Parameter* p : module.parameters()) names.push_back(p->name);
  EXPECT_THAT(names, testing::ElementsAre("first.weight", "first.bias", "norm.gain", "norm.bias", "list.0.weight",
                                          "list.1.weight"));
  ASSERT_EQ(module.states().size(), 1u);
  EXPECT_EQ(module.states()[0]->name, "seen");
  EXPECT_EQ(module.parameter_count(), 15 + 3 + 3 + 3 + 9 + 9);
}

struct Expected {
  Role role;
  std::int64_t fan_in, fan_out;
  bool decays;
};

void expect_card(const Parameter& p, const Expected& e) {
  EXPECT_EQ(p.role, e.role) << p.name;
  EXPECT_EQ(p.fan_in, e.fan_in) << p.name;
  EXPECT_EQ(p.fan_out, e.fan_out) << p.name;
  EXPECT_EQ(p.base_fan_in, 0) << p.name;  // the same, until muP says otherwise
  EXPECT_EQ(p.base_fan_out, 0) << p.name;
  EXPECT_EQ(p.decays, e.decays) << p.name;
}

TEST(Module, ParametersSayWhatMuPAndDecayNeedToKnow) {
  const Linear linear(5, 3, {.bias = true, .role = Role::output});
  expect_card(linear.weight_parameter, {Role::output, 5, 3, true});
  expect_card(linear.bias_parameter, {Role::vector, 1, 3, false});
  const Linear packed(5, 3, {.runs = 4});
  expect_card(packed.weight_parameter, {Role::hidden, 5, 3, true});  // of one run
  expect_card(Embedding(100, 8, 1).table, {Role::input, 100, 8, true});
  const Norm norm(6, {.bias = true});
  expect_card(norm.gain, {Role::vector, 1, 6, false});
  expect_card(norm.bias, {Role::vector, 1, 6, false});
  const Conv2d conv(3, 8, 5);
  expect_card(conv.weight, {Role::hidden, 75, 8, true});
  expect_card(conv.bias, {Role::vector, 1, 8, false});
  EXPECT_STREQ(name_of(Role::input), "input");
  EXPECT_STREQ(name_of(Role::vector), "vector");
}

struct Moments {
  double mean = 0, sd = 0, kurtosis = 0, largest = 0;
  double n = 0;
};
Moments moments_of(const Tensor& t) {
  const auto x = t.to_vector<double>();
  Moments m;
  m.n = static_cast<double>(x.size());
  for (const double v : x) m.mean += v / m.n, m.largest = std::max(m.largest, std::abs(v));
  double fourth = 0;
  for (const double v : x) m.sd += std::pow(v - m.mean, 2) / m.n, fourth += std::pow(v - m.mean, 4) / m.n;
  m.kurtosis = fourth / (m.sd * m.sd);
  m.sd = std::sqrt(m.sd);
  return m;
}

// Five standard errors; the seeds are fixed, so a miss is not bad luck.
void expect_spread(const Tensor& t, double sd, bool truncated) {
  const Moments m = moments_of(t);
  EXPECT_NEAR(m.mean, 0, 5 * sd / std::sqrt(m.n));
  EXPECT_NEAR(m.sd, sd, 5 * sd / std::sqrt(2 * m.n));
  EXPECT_NEAR(m.kurtosis, truncated ? 2.3642 : 3, 0.15);  // of a normal cut at two standard deviations; of a whole one
  if (truncated) EXPECT_LE(m.largest, 2 / 0.87962566103423978 * sd * 1.000001);
  else EXPECT_GT(m.largest, 3 * sd);
}

TEST(Init, EveryLayerStartsWithTheStatedSpread) {
  Linear linear(200, 300), set(200, 300, {.std = 0.02});
  Embedding table(300, 200, 0.5);
  Conv2d conv(20, 300, 3);
  const Arena a(linear, Key(1)), b(set, Key(2)), c(table, Key(3)), d(conv, Key(4));
  expect_spread(linear.weight_parameter.var.value(), 1 / std::sqrt(200.0), true);
  expect_spread(set.weight_parameter.var.value(), 0.02, true);
  expect_spread(table.table.var.value(), 0.5, false);
  expect_spread(conv.weight.var.value(), 1 / std::sqrt(180.0), true);
  EXPECT_EQ(conv.bias.var.value().to_vector<float>(), std::vector<float>(300, 0));
}

TEST(Init, DrawsDependOnKeyAndNameOnly) {
  Pair a, b, c;
  const Arena first(a, Key(1)), again(b, Key(1)), other(c, Key(2));
  EXPECT_TRUE(same_bits(first.values(), again.values()));
  EXPECT_FALSE(same_bits(first.values(), other.values()));
  EXPECT_FALSE(same_bits(a.list[0]->weight().value(), a.list[1]->weight().value()));
  struct Alone final : Module {
    Linear first{5, 3};
    void members(Members& m) override { m("first", first); }
  } alone;
  const Arena arena(alone, Key(1));  // other neighbours, the same name
  EXPECT_TRUE(same_bits(alone.first.weight().value(), a.first.weight().value()));
}

TEST(Init, UniformAndConstantStayInTheirBounds) {
  struct Two final : Module {
    Parameter u, c;
    Two() {
      u.shape = {20000}, u.init = {Draw::uniform, 0.25};
      c.shape = {3}, c.init = {Draw::constant, 1.5};
    }
    void members(Members& m) override { m("u", u), m("c", c); }
  } two;
  const Arena arena(two, Key(1), DType::f64);
  const Moments m = moments_of(two.u.var.value());
  EXPECT_LE(m.largest, 0.25);
  EXPECT_NEAR(m.sd, 0.25 / std::sqrt(3.0), 0.002);
  EXPECT_EQ(two.c.var.value().to_vector<double>(), std::vector<double>(3, 1.5));
}

TEST(Arena, SlotsAreViewsThatBeginAtMultiplesOfSixteen) {
  Pair module;
  const Arena arena(module, Key(1));
  for (const auto& s : arena.slots()) {
    EXPECT_EQ(s.offset % 16, 0);
    EXPECT_TRUE(same_bits(arena.value(s), s.parameter->var.value()));
    arena.value(s).fill_(7);
    EXPECT_EQ(s.parameter->var.value().to_vector<float>()[0], 7);
  }
}

TEST(Arena, AStateGoesOutAndComesBackToTheBit) {
  Pair from, into;
  const Arena a(from, Key(1)), b(into, Key(2));
  for (std::size_t i = 0; i < a.slots().size(); ++i) b.value(b.slots()[i]).copy_(a.value(a.slots()[i]).clone());
  EXPECT_TRUE(same_bits(a.values(), b.values()));
  const Tensor x = Key(3).normal({4, 5});
  EXPECT_TRUE(same_bits(from.first(x).value(), into.first(x).value()));
}

TEST(Arena, GradientsLandInItsMemory) {
  Pair module;
  Arena arena(module, Key(1));
  const Tensor x = Key(3).normal({4, 5});
  arena.zero_grads();
  backward(sum(module.first(x)));
  arena.finish_grads();
  EXPECT_EQ(arena.grad(arena.slots()[1]).to_vector<float>(), std::vector<float>(3, 4));  // the bias: one for each row
  EXPECT_EQ(arena.grad(arena.slots()[4]).to_vector<float>(), std::vector<float>(9, 0));  // not used
  arena.zero_grads();
  EXPECT_EQ(arena.grad(arena.slots()[1]).to_vector<float>(), std::vector<float>(3, 0));
}

TEST(Arena, Bf16ProductsReadRoundedMatricesThatFollowTheMasters) {
  Pair module;
  Arena arena(module, Key(1));
  arena.use_bf16_products();
  EXPECT_EQ(module.first.weight().dtype(), DType::bf16);
  EXPECT_EQ(module.first.bias_parameter.var.dtype(), DType::f32);
  EXPECT_TRUE(same_bits(module.first.weight().value(), arena.value(arena.slots()[0]).to(DType::bf16)));
  arena.value(arena.slots()[0]).fill_(2);
  arena.refresh();
  EXPECT_EQ(module.first.weight().value().to_vector<float>(), std::vector<float>(15, 2));
  arena.zero_grads();
  backward(sum(module.first(Key(3).normal({4, 5}))));
  arena.finish_grads();
  EXPECT_NE(arena.grad(arena.slots()[0]).to_vector<float>()[0], 0);  // f32 gradients beside bf16 weights
}

TEST(Arena, RefusesOtherDtypesWithTheWayOut) {
  Pair module;
  EXPECT_THAT(error_of([&] { Arena(module, Key(1), DType::bf16); }), HasSubstr("f32 or f64, not bf16"));
  Arena wide(module, Key(1), DType::f64);
  EXPECT_THAT(error_of([&] { wide.use_bf16_products(); }), HasSubstr("need f32 parameters"));
}

}  // namespace
}  // namespace plumb::nn
