// plumb mup: what a parametrization makes of every parameter of a model.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lab/cli/command.h"
#include "lab/config/read.h"
#include "lab/run/run_config.h"
#include "models/gpt_scaling.h"

namespace plumb::cli {
namespace {

std::string init_text(const nn::Init& init) {
  switch (init.draw) {
    case nn::Draw::zeros: return "0";
    case nn::Draw::ones: return "1";
    case nn::Draw::constant: return fmt::format("{:.4g}", init.scale);
    case nn::Draw::uniform: return fmt::format("within {:.4g}", init.scale);
    case nn::Draw::normal:
    case nn::Draw::truncated_normal: return fmt::format("std {:.4g}", init.scale);
  }
  throw Bug("unknown initialisation");
}

double deviation(const nn::Init& init) {
  return init.draw == nn::Draw::normal || init.draw == nn::Draw::truncated_normal ? init.scale : 0;
}

void print(const lab::RunConfig& c, const std::vector<nn::Parameter*>& parameters, std::optional<double> attention) {
  if (attention) fmt::print("products of queries and keys are multiplied by {:.4g}\n", *attention);
  fmt::print("{:<28} {:<7} {:>12}  {:<12} {:>10} {:>10} {:>10}\n", "parameter", "role", "shape", "begins as", "rate",
             "of peak", "multiplier");
  for (const nn::Parameter* p : parameters)
    fmt::print("{:<28} {:<7} {:>12}  {:<12} {:>10.4g} {:>10.4g} {:>10.4g}\n", p->name, nn::name_of(p->role),
               to_string(p->shape), init_text(p->init), c.schedule.lr * p->lr_multiplier, p->lr_multiplier,
               p->multiplier);
}

void print_json(const lab::RunConfig& c, const std::vector<nn::Parameter*>& parameters,
                std::optional<double> attention) {
  nlohmann::json list = nlohmann::json::array();
  for (const nn::Parameter* p : parameters)
    list.push_back({{"name", p->name},
                    {"role", nn::name_of(p->role)},
                    {"shape", std::vector<std::int64_t>(p->shape.begin(), p->shape.end())},
                    {"init", init_text(p->init)},
                    {"init_std", deviation(p->init)},
                    {"lr", c.schedule.lr * p->lr_multiplier},
                    {"lr_multiplier", p->lr_multiplier},
                    {"forward_multiplier", p->multiplier},
                    {"coupled_decay_multiplier", p->decay_multiplier}});
  fmt::print("{}\n", nlohmann::json{{"width", c.model.width},
                                    {"base_width", c.stability.base_width},
                                    {"attention_scale", attention ? nlohmann::json(*attention) : nlohmann::json()},
                                    {"parameters", list}}
                         .dump());
}

int mup(const Arguments& a) {
  Value root = load_config(a.word("CONFIG"), a.common.set);
  for (const auto& [option, key] : {std::pair{"--base-width", "stability.base_width"}, {"--width", "model.width"}})
    if (a.has(option)) apply_set(root, fmt::format("{}={}", key, a.text(option)));
  lab::RunConfig config;
  read(root, config);
  const models::GptOptions options = with_places(root, [&] { return config.model_options(config.data.vocab()); });
  models::Gpt model(options);
  (a.common.json ? print_json : print)(config, model.parameters(), models::attention_scale_of(options));
  return 0;
}

const Registration registered({.name = "mup",
                               .group = Group::studies,
                               .help = "what [stability] makes of every parameter, at any width",
                               .example = "plumb mup run.toml --set stability.parametrization=u_mup --width 512",
                               .words = {{.name = "CONFIG", .help = "a TOML file"}},
                               .options = {{"--base-width", "W", "in place of stability.base_width"},
                                           {"--width", "W", "in place of model.width"}},
                               .without = {"--out", "--device", "--jobs", "--dry-run"},
                               .run = mup});

}  // namespace
}  // namespace plumb::cli
