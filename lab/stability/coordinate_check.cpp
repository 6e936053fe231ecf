// Sizes of activations against the width.
#include "lab/stability/coordinate_check.h"

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "lab/run/trainer.h"

namespace plumb::lab {

const char* name_of(Growth growth) {
  const char* names[] = {"flat", "catches up", "grows", "shrinks", "unclear", "diverged"};
  return names[static_cast<int>(growth)];
}

namespace {

// The first batch of other data, at every step.
class OneBatch final : public TokenData {
 public:
  explicit OneBatch(std::unique_ptr<TokenData> data) : data_(std::move(data)) {}
  std::int64_t vocab() const override { return data_->vocab(); }
  Tensor batch(std::int64_t, std::int64_t rows, std::int64_t T) const override { return data_->batch(0, rows, T); }
  Tensor validation(std::int64_t rows, std::int64_t T) const override { return data_->validation(rows, T); }
  std::string decode(std::span<const std::int64_t> tokens) const override { return data_->decode(tokens); }
  std::vector<std::int64_t> encode(std::string_view text) const override { return data_->encode(text); }
  std::string describe() const override { return data_->describe(); }
  std::string digest() const override { return data_->digest(); }

 private:
  std::unique_ptr<TokenData> data_;
};

std::vector<Observation> observe_now(Trainer& trainer) {
  const NoGrad off;
  const RunConfig& c = trainer.config();
  const Tensor tokens = trainer.data().batch(0, c.train.batch, c.model.context);
  models::GptTrace trace;
  const Var logits = trainer.model().logits(tokens.slice(1, 0, c.model.context).contiguous(), {.trace = &trace});
  trace.record("head", logits);
  std::vector<Observation> out;
  for (const auto& o : trace.outputs) out.push_back({o.part, mean(abs(Var(o.value))).item()});
  return out;
}

}  // namespace

Observations observe(const RunConfig& config, std::int64_t steps) {
  RunConfig c = config;
  c.run.steps = steps;
  c.run.eval_rows = 1;
  c.schedule = {.decay = optim::Decay::constant, .lr = config.schedule.lr, .min_lr = 0, .warmup = 0};
  Trainer trainer(std::make_unique<OneBatch>(c.data.open(static_cast<std::uint64_t>(c.run.seed), {})), c);
  Observations out;
  for (std::int64_t step = 0; step < steps; ++step) {
    out.push_back(observe_now(trainer));
    if (step + 1 < steps) trainer.step();
  }
  return out;
}

namespace {

Growth growth_of(const std::vector<Slope>& slopes, double tolerance) {
  bool shrinks = false, unclear = false;
  for (std::size_t step = slopes.size() > 1 ? 1 : 0; step < slopes.size(); ++step) {
    const Slope& s = slopes[step];
    if (!std::isfinite(s.value)) return Growth::diverged;
    if (std::abs(s.value) <= tolerance) continue;
    if (s.low > tolerance) return Growth::grows;
    (s.high < -tolerance ? shrinks : unclear) = true;
  }
  const bool from_start = slopes.front().high < 0 && slopes.back().value > slopes.front().value;
  if (shrinks) return from_start ? Growth::catches_up : Growth::shrinks;
  return unclear ? Growth::unclear : Growth::flat;
}

}  // namespace

std::vector<PartGrowth> check_coordinates(
    const CoordinateOptions& o, const std::function<Observations(std::int64_t width, std::int64_t seed)>& observe) {
  std::vector<double> places;                           // log2 width of each run
  std::vector<std::vector<std::vector<double>>> sizes;  // of each part and step, in the order of runs
  std::vector<PartGrowth> parts;
  for (const std::int64_t width : o.widths)
    for (std::int64_t seed = 0; seed < o.seeds; ++seed) {
      const Observations run = observe(width, seed);
      if (parts.empty())
        for (const auto& part : run.at(0)) parts.push_back({.part = part.part});
      sizes.resize(parts.size(), std::vector<std::vector<double>>(run.size()));
      places.push_back(std::log2(static_cast<double>(width)));
      for (std::size_t step = 0; step < run.size(); ++step)
        for (std::size_t p = 0; p < parts.size(); ++p) sizes[p][step].push_back(run[step].at(p).size);
    }
  for (std::size_t p = 0; p < parts.size(); ++p) {
    for (const auto& of_step : sizes[p]) {
      std::vector<double> logs, means(o.widths.size(), 0);
      for (std::size_t run = 0; run < of_step.size(); ++run) {
        logs.push_back(std::log2(of_step[run]));
        means[run / static_cast<std::size_t>(o.seeds)] += of_step[run] / static_cast<double>(o.seeds);
      }
      parts[p].slopes.push_back(slope_of(places, logs));
      parts[p].sizes.push_back(std::move(means));
    }
    parts[p].verdict = growth_of(parts[p].slopes, o.tolerance);
  }
  return parts;
}

}  // namespace plumb::lab
