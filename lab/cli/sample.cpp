// plumb sample and plumb eval.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lab/cli/command.h"
#include "lab/run/origin.h"
#include "lab/run/run_loop.h"
#include "models/sampler.h"

namespace plumb::cli {
namespace {

Device device_of(const Arguments& a) { return parse_device(a.common.device.empty() ? "cpu" : a.common.device); }

struct Loaded {
  lab::Trainer trainer;
  std::int64_t step;
};

Loaded loaded(const Arguments& a) {
  const std::string run = a.word("RUN");
  lab::Trainer trainer(lab::config_of_run(run), {}, device_of(a));
  const auto origin = lab::read_origin(a.has("--checkpoint") ? a.text("--checkpoint") : run);
  for (const auto& w : origin.warnings) fmt::print(stderr, "warning: {}\n", w);
  trainer.load_parameters(origin.parameters);
  return {std::move(trainer), origin.step};
}

// A new line, or, in a world that has none, the first token of a validation sequence.
std::string usual_prompt(lab::Trainer& trainer) {
  if (trainer.config().data.kind == lab::DataKind::text) return "\n";
  const auto row = trainer.data().validation(1, 1).to_vector<std::int64_t>();
  return trainer.data().decode({row.data(), 1});
}

int sample(const Arguments& a) {
  lab::Trainer trainer = loaded(a).trainer;
  models::SampleOptions o{.temperature = a.number("--temperature", 0.8),
                          .top_k = a.integer("--top-k", 0),
                          .top_p = a.number("--top-p", 1),
                          .min_p = a.number("--min-p", 0),
                          .max_tokens = a.integer("--tokens", 400),
                          .stop_tokens = {}};
  check_fields(o, "sample");
  std::vector<std::string> prompts = a.texts("--prompt");
  if (prompts.empty()) prompts.push_back(usual_prompt(trainer));
  const auto count = a.integer("--count", 1);
  if (count < 1) throw UsageError(fmt::format("needs a number of at least 1, not {}", count), "--count");
  std::vector<std::vector<std::int64_t>> tokens;
  for (const auto& p : prompts)
    for (std::int64_t i = 0; i < count; ++i) tokens.push_back(trainer.data().encode(p));
  const auto stop = a.texts("--stop");
  for (const auto& s : stop) {
    const auto t = trainer.data().encode(s);
    if (t.size() != 1)
      throw UserError(fmt::format("\"{}\" is {} tokens, not one", s, t.size()), "--stop",
                      "give a text that is a single token");
    o.stop_tokens.push_back(t[0]);
  }
  const auto out =
      models::sample(trainer.model(), tokens, o, Key(static_cast<std::uint64_t>(a.integer("--seed", 0))).at("sample"));
  nlohmann::json all = nlohmann::json::array();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::string& prompt = prompts[i / static_cast<std::size_t>(count)];
    const std::string text = trainer.data().decode(out[i].tokens);
    const bool words = trainer.config().data.kind != lab::DataKind::text;  // tokens are numbers with spaces between
    if (a.common.json)
      all.push_back({{"prompt", prompt},
                     {"text", text},
                     {"tokens", out[i].tokens},
                     {"logps", out[i].logps},
                     {"stopped", out[i].stopped}});
    else fmt::print("{}{}{}\n{}", prompt, words ? " " : "", text, i + 1 < out.size() ? "---\n" : "");
  }
  if (a.common.json) fmt::print("{}\n", all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return 0;
}

int eval(const Arguments& a) {
  auto [trainer, step] = loaded(a);
  const double loss = trainer.evaluate();
  const auto floor = trainer.entropy_floor();
  if (a.common.json) {
    nlohmann::json j{{"run", a.word("RUN")}, {"step", step}, {"val_loss", loss}};
    if (floor) j["entropy_floor"] = *floor;
    fmt::print("{}\n", j.dump());
    return 0;
  }
  fmt::print("val_loss  {:.6f} nats/token over {} sequences, at step {}\n", loss, trainer.config().run.eval_rows, step);
  if (floor) fmt::print("floor     {:.6f} nats/token\n", *floor);
  return 0;
}

const std::string checkpoint_help = "a checkpoint file in place of the newest";
const Registration sample_command({.name = "sample",
                                   .group = Group::results,
                                   .help = "continue a prompt with a trained model",
                                   .example = "plumb sample runs/shakespeare --prompt \"ROMEO:\" --tokens 300",
                                   .words = {{.name = "RUN", .help = "the folder of the run"}},
                                   .options = {{"--prompt", "TEXT", "what to continue", true},
                                               {"--tokens", "N", "longest continuation (400)"},
                                               {"--count", "N", "continuations of each prompt (1)"},
                                               {"--temperature", "X", "0 = greedy (0.8)"},
                                               {"--top-k", "K", "keep the K likeliest tokens (all)"},
                                               {"--top-p", "P", "keep the likeliest tokens of this probability (1)"},
                                               {"--min-p", "P", "drop tokens below this share of the likeliest (0)"},
                                               {"--stop", "TEXT", "a token that ends a continuation", true},
                                               {"--seed", "N", "of the draws (0)"},
                                               {"--checkpoint", "FILE", checkpoint_help}},
                                   .without = {"--out", "--set", "--jobs", "--dry-run"},
                                   .run = sample});
const Registration eval_command({.name = "eval",
                                 .group = Group::results,
                                 .help = "validation loss of a run's newest checkpoint",
                                 .example = "plumb eval runs/seed7 --json",
                                 .words = {{.name = "RUN", .help = "the folder of the run"}},
                                 .options = {{"--checkpoint", "FILE", checkpoint_help}},
                                 .without = {"--out", "--set", "--jobs", "--dry-run"},
                                 .run = eval});

}  // namespace
}  // namespace plumb::cli
