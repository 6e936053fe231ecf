// The tables of a run's configuration.
#include "lab/run/run_config.h"

#include "core/errors.h"
#include "models/gpt_scaling.h"

namespace plumb::lab {

void RunOptions::fields(Fields& f) {
  f("steps", steps).at_least(1).unit("steps").help("optimiser steps of the whole run");
  f("seed", seed).at_least(0).help("of the initial weights, the data order and dropout");
  f("log_every", log_every).at_least(1).unit("steps").help("metrics are kept every so many steps");
  f("eval_every", eval_every)
      .at_least(0)
      .unit("steps")
      .help("validation loss every so many steps; 0 = only at the end");
  f("eval_rows", eval_rows).at_least(1).unit("sequences").help("validation sequences of each evaluation");
  f("sample_tokens", sample_tokens).at_least(0).unit("tokens").help("length of the sample in the report");
  f("early_stop", early_stop)
      .at_least(0)
      .unit("evaluations")
      .help("stop after so many without a better validation loss; 0 = off");
  f("on_divergence", on_divergence)
      .one_of({"stop", "record"})
      .help("a loss that is not finite: an error, or a recorded outcome");
}

void DataOptions::fields(Fields& f) {
  f("kind", kind)
      .one_of({"copy_language", "text"})
      .help("a synthetic language with a known entropy floor, or text files");
  f.dependent([this](Fields& g) {
    if (kind == DataKind::text) text.fields(g);
    else copy_language.fields(g);
  });
}

namespace {

// An error about a file becomes one about the key that names the file.
template <class Work>
void at_key(const char* key, const Work& work) {
  try {
    work();
  } catch (const UserError& e) {
    throw UserError(e.where().empty() || e.where() == key ? e.message() : e.where() + ": " + e.message(), key,
                    e.hint());
  }
}

}  // namespace

std::unique_ptr<TokenData> DataOptions::open(std::uint64_t run_seed, const std::string& cache_folder) const {
  if (kind == DataKind::copy_language) return std::make_unique<worlds::CopyLanguage>(copy_language, run_seed);
  at_key("data.path", [&] { expand_paths(text.path); });
  at_key("data.validation_path", [&] { expand_paths(text.validation_path); });
  at_key("data.tokenizer", [&] { make_tokenizer(text.tokenizer); });
  return std::make_unique<TextData>(text, run_seed, cache_folder);
}

std::int64_t DataOptions::vocab() const {
  if (kind == DataKind::copy_language) return copy_language.vocab;
  std::int64_t size = 0;
  at_key("data.tokenizer", [&] { size = make_tokenizer(text.tokenizer)->vocab(); });
  return size;
}

double DataOptions::memory() const { return kind == DataKind::copy_language ? copy_language.memory() : 0; }

void TrainOptions::fields(Fields& f) {
  f("batch", batch).at_least(1).unit("sequences").help("of one optimiser step");
  f("micro_batch", micro_batch)
      .at_least(0)
      .unit("sequences")
      .help("computed at once; 0 = the whole batch. Changes memory, never bits");
  f("leaves", leaves).at_least(1).help("parts of the batch whose gradients are added by a binary tree; a power of two");
  f.rule({"leaves"}, [this] { return leaves & (leaves - 1) ? "must be a power of two" : ""; });
  f.rule({"leaves", "batch"},
         [this] { return batch % leaves != 0 ? fmt::format("must divide batch = {}", batch) : std::string(); });
  f("precision", precision).one_of({"f32", "bf16", "f64"}).help("bf16: products in bf16, everything else in f32");
  f("checkpoint_activations", checkpoint_activations)
      .help("keep only the inputs of blocks and compute them again: less memory, more time");
  f("ema", ema).at_least(0).below(1).help("decay of an average of the parameters, used for evaluation; 0 = off");
}

void CheckpointOptions::fields(Fields& f) {
  f("every", every).at_least(0).unit("steps").help("0 = only at the end");
  f("keep_last", keep_last).at_least(1).help("newest checkpoints kept");
  f("keep_every", keep_every).at_least(0).unit("steps").help("besides, keep those at multiples of this; 0 = none");
}

models::GptOptions RunConfig::model_options(std::int64_t vocab) const {
  models::GptOptions o = model;
  o.vocab = vocab;
  o.scaling = stability;
  o.scaling.sgd = optim.rule == optim::Rule::sgd;
  return o;
}

namespace {

// The rules of width are derived for updates of Adam's size, some of them for SGD too.
Complaint rule_of_width_complaint(const RunConfig& c) {
  using optim::Parametrization;
  const Parametrization p = c.stability.parametrization;
  const bool table =
      p == Parametrization::mup_table3 || p == Parametrization::mup_table8 || p == Parametrization::mup_table9;
  if (p == Parametrization::sp) return {};
  if (c.optim.rule == optim::Rule::muon)
    return {"is a rule for adamw and its kin, lion and sgd, not for optim.rule = \"muon\"",
            "use sp: muon scales its updates itself"};
  if (c.optim.rule == optim::Rule::sgd && !table)
    return {"is a rule for adamw and its kin, not for optim.rule = \"sgd\"",
            "use mup_table3, mup_table8 or mup_table9"};
  return {};
}

}  // namespace

void RunConfig::fields(Fields& f) {
  f.section("run", run).help("the run as a whole");
  f.section("data", data).help("what is learnt");
  f.section("model", model).help("the transformer");
  f.section("train", train).help("batches and precision");
  f.section("loss", loss).help("language modelling");
  f.section("optim", optim).help("the optimiser");
  f.section("schedule", schedule).help("the learning rate over steps");
  f.section("stability", stability).help("how training follows the width and the depth of the model");
  f.section("checkpoint", checkpoint).help("what is kept to resume from");
  f.rule({"schedule.warmup", "schedule.cooldown", "run.steps"}, [this] { return schedule.misfit(run.steps); });
  f.rule({"stability.parametrization", "optim.rule"}, [this] { return rule_of_width_complaint(*this); });
  for (const auto& rule : models::scaling_rules())
    f.rule(rule.keys, [this, &rule] { return rule.complaint(model_options(model.vocab)); });
  f.rule({"model.context", "data.length"}, [this]() -> Complaint {
    const std::int64_t most = data.copy_language.length - 1;
    if (data.kind != DataKind::copy_language || model.context <= most) return {};
    return {fmt::format("must be at most {}, not {}: a sequence of data.length = {} tokens gives {} inputs and targets",
                        most, model.context, most + 1, most),
            fmt::format("set data.length = {}, or model.context = {}", model.context + 1, most)};
  });
}

}  // namespace plumb::lab
