// One variant for each choice and switch among the options, and some of numbers.
#include "lab/check/numbers/variants.h"

#include <fmt/format.h>

#include "core/files/digest.h"
#include "lab/check/small_run.h"
#include "models/mlp.h"

namespace plumb::lab {
namespace {

RunConfig base() {
  RunConfig c = small_config();
  c.data.copy_language.vocab = 40;
  c.model.width = 64;
  c.model.layers = 1;
  c.model.qk_norm = nn::QkNorm::none;
  c.model.bias = false;
  return c;
}

// The field's other values: what to set, and how it reads.
struct Setting {
  std::string value;
  std::function<void(const Field&)> set;
};
std::vector<Setting> other_values(const Field& field) {
  if (const auto* flag = std::get_if<bool*>(&field.target()))
    return {{**flag ? "false" : "true", [](const Field& f) {
               bool& b = *std::get<bool*>(f.target());
               b = !b;
             }}};
  const auto* choice = std::get_if<EnumRef>(&field.target());
  if (!choice) return {};
  std::vector<Setting> all;
  for (std::size_t i = 0; i < field.choices().size(); ++i) {
    const auto value = static_cast<std::int64_t>(i);
    if (value == choice->index.get(choice->index.at)) continue;
    all.push_back({field.choices()[i], [value](const Field& f) {
                     const IntegerRef& index = std::get<EnumRef>(f.target()).index;
                     index.set(index.at, value);
                   }});
  }
  return all;
}

template <class Options>
void add_choices(std::vector<Variant>& all, const std::string& section, Options RunConfig::*part) {
  RunConfig plain = base();
  Fields fields;
  (plain.*part).fields(fields);
  for (std::size_t i = 0; i < fields.entries().size(); ++i) {
    const auto* field = std::get_if<Field>(&fields.entries()[i]);
    if (!field) continue;
    for (const Setting& setting : other_values(*field)) {
      Variant v{fmt::format("{}.{} = {}", section, field->name(), setting.value), base()};
      Fields own;
      (v.config.*part).fields(own);
      setting.set(std::get<Field>(own.entries()[i]));
      all.push_back(std::move(v));
    }
  }
}

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> all{{"plain", base()}};
  add_choices(all, "model", &RunConfig::model);
  add_choices(all, "train", &RunConfig::train);
  add_choices(all, "optim", &RunConfig::optim);
  add_choices(all, "schedule", &RunConfig::schedule);
  const auto add = [&](const std::string& name, const std::function<void(RunConfig&)>& change) {
    all.push_back({name, base()});
    change(all.back().config);
  };
  add("two blocks, biases, normalised queries", [](RunConfig& c) { c = small_config(); });
  add("muon in bf16", [](RunConfig& c) {
    c.optim.rule = optim::Rule::muon;
    c.train.precision = Precision::bf16;
  });
  add("train.leaves = 4", [](RunConfig& c) { c.train.leaves = 4; });
  add("train.ema = 0.9", [](RunConfig& c) { c.train.ema = 0.9; });
  add("model.dropout = 0.1", [](RunConfig& c) { c.model.dropout = 0.1; });
  add("model.layer_scale = 0.1", [](RunConfig& c) { c.model.layer_scale = 0.1; });
  add("softcaps", [](RunConfig& c) { c.model.attn_softcap = 5, c.model.final_softcap = 10; });
  add("multipliers", [](RunConfig& c) { c.model.embed_multiplier = 3, c.model.logit_multiplier = 0.25; });
  add("table 9 of muP", [](RunConfig& c) {
    c.stability = {.parametrization = optim::Parametrization::mup_table9, .base_width = 24};
    c.model.bias = true;
  });
  add("u-muP", [](RunConfig& c) { c.stability.parametrization = optim::Parametrization::u_mup; });
  add("full muP, 1/depth", [](RunConfig& c) {
    c.stability.parametrization = optim::Parametrization::mup_full;
    c.stability.depth_rule = optim::DepthRule::completep;
    c.stability.base_width = 24;
    c.model.layers = 3;
  });
  add("loss.z_loss = 0", [](RunConfig& c) { c.loss.z_loss = 0; });
  return all;
}

std::string outcome_of_mlp(std::int64_t steps, std::int64_t micro) {
  models::Mlp mlp({.widths = {24, 96, 96, 10}, .activation = nn::Activation::gelu});
  const Key key(17);
  nn::Arena arena(mlp, key.at("init"));
  optim::Optimizer optimizer(arena, {});
  constexpr std::int64_t batch = 96;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Tensor x = key.at("data").at(static_cast<std::uint64_t>(step)).normal({batch, 24});
    arena.zero_grads();
    for (std::int64_t row = 0; row < batch; row += micro)
      backward(sum(square(mlp(Var(x.slice(0, row, std::min(batch, row + micro)))))));
    arena.finish_grads();
    optimizer.step(1e-3, 1e-3);
  }
  return files::digest(files::NamedTensor{"values", arena.values()});
}

std::vector<Subject> subjects() {
  std::vector<Subject> all;
  for (const auto& [name, config] : variants())
    all.push_back({name, [c = config](std::int64_t steps) { return outcome_of(c, steps); }});
  all.push_back({"mlp", [](std::int64_t steps) { return outcome_of_mlp(steps, 96); }});
  return all;
}

}  // namespace plumb::lab
