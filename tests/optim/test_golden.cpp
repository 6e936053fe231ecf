// Optimisers and schedules against the reference values of tests/golden/p29_small_scale_proxies.json.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace plumb::optim {
namespace {

using nlohmann::json;

std::vector<json> cases(const std::string& objective) {
  std::ifstream file(std::string(PLUMB_SOURCE_DIR) + "/tests/golden/p29_small_scale_proxies.json");
  std::vector<json> out;
  const json all = json::parse(file);
  for (const auto& c : all["cases"])
    if (c["objective"] == objective) out.push_back(c);
  return out;
}

std::vector<double> numbers(const json& tensor) { return tensor["data"].get<std::vector<double>>(); }

void expect_close(const std::vector<double>& got, const std::vector<double>& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], want[i], 1e-12 + 1e-9 * std::abs(want[i])) << what << " at " << i;
}

struct OneParameter final : nn::Module {
  nn::Parameter p;
  explicit OneParameter(std::int64_t n) { p.shape = {n}; }
  void members(nn::Members& m) override { m("p", p); }
};

template <class E>
E choice(const std::string& name, const std::vector<std::pair<std::string, E>>& all) {
  for (const auto& [text, value] : all)
    if (text == name) return value;
  ADD_FAILURE() << "unknown " << name;
  return all[0].second;
}

void check_adamw(const json& c) {
  const json& h = c["hyper"];
  const auto start = numbers(c["inputs"]["param"]), grads = numbers(c["inputs"]["grads"]);
  const auto n = static_cast<std::int64_t>(start.size());
  OneParameter module(n);
  nn::Arena arena(module, Key(0), DType::f64);
  arena.value(arena.slots()[0]).copy_(Tensor::from(start, {n}));
  Optimizer optimizer(
      arena,
      {.rule = choice<Rule>(h["rule"], {{"adamw", Rule::adamw}, {"stable", Rule::stable}, {"atan2", Rule::atan2}}),
       .betas = h["betas"].get<std::vector<double>>(),
       .eps = h["eps"],
       .weight_decay = h["weight_decay"],
       .clip_norm = h["clip_norm"],
       .decay_mode = choice<DecayMode>(h["decay_mode"],
                                       {{"independent", DecayMode::independent}, {"coupled", DecayMode::coupled}})});
  optimizer.keep_updates = true;
  const Decay decay = choice<Decay>(
      h["decay"],
      {{"cosine", Decay::cosine}, {"linear", Decay::linear}, {"wsd", Decay::wsd}, {"constant", Decay::constant}});
  const Schedule lr({.decay = decay, .lr = h["lr"], .init_lr = h["init_lr"], .min_lr = h["min_lr"]}, h["total_steps"],
                    h["warmup_steps"], h["cooldown_steps"]);
  std::vector<double> params, lrs;
  for (std::int64_t t = 0; t <= h["total_steps"].get<std::int64_t>(); ++t) lrs.push_back(lr(t));
  for (std::int64_t t = 0; t < h["steps"].get<std::int64_t>(); ++t) {
    const std::vector<double> g(grads.begin() + t * n, grads.begin() + (t + 1) * n);
    arena.grad(arena.slots()[0]).copy_(Tensor::from(g, {n}));
    optimizer.step(lr(t), lr.peak());
    for (const double x : arena.value(arena.slots()[0]).to_vector<double>()) params.push_back(x);
  }
  const std::string name = c["case"];
  expect_close(params, numbers(c["expected"]["metrics"]["params"]), name + " params");
  expect_close(lrs, numbers(c["expected"]["metrics"]["lrs"]), name + " lrs");
}

TEST(Golden, AdamwVariants) {
  const auto all = cases("adamw_variants");
  ASSERT_FALSE(all.empty());
  for (const auto& c : all) check_adamw(c);
}

TEST(Golden, MuonUpdate) {
  const auto all = cases("muon_update");
  ASSERT_FALSE(all.empty());
  for (const auto& c : all) {
    const json& h = c["hyper"];
    const Shape shape{h["rows"].get<std::int64_t>(), h["cols"].get<std::int64_t>()};
    const Tensor buffer = Tensor::from(numbers(c["inputs"]["momentum_buffer"]), shape);
    const Tensor update = muon_update(
        Tensor::from(numbers(c["inputs"]["grad"]), shape), buffer, h["momentum"], h["nesterov"].get<bool>(),
        choice<Accumulate>(h["accumulate"], {{"sum", Accumulate::sum}, {"ema", Accumulate::ema}}),
        choice<MuonScale>(h["scale"], {{"moonlight", MuonScale::moonlight}, {"keller", MuonScale::keller}}));
    expect_close(update.to_vector<double>(), numbers(c["expected"]["metrics"]["update"]), c["case"]);
    expect_close(buffer.to_vector<double>(), numbers(c["expected"]["metrics"]["buffer"]), c["case"]);
  }
}

TEST(Schedule, RefusesAWarmUpLongerThanTheRun) { EXPECT_THROW(Schedule({.warmup = 11}, 10), UserError); }

}  // namespace
}  // namespace plumb::optim
