// The whole configuration of a training run: one struct for each table of the TOML file.
#pragma once

#include <memory>
#include <string>

#include "alignment/supervised/language_model.h"
#include "core/fields.h"
#include "lab/data/text.h"
#include "lab/worlds/copy_language.h"
#include "models/gpt.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace plumb::lab {

enum class OnDivergence { stop, record };
enum class DataKind { copy_language, text };
enum class Precision { f32, bf16, f64 };

struct RunOptions {
  std::int64_t steps = 300, seed = 0, log_every = 10, eval_every = 100, eval_rows = 64, sample_tokens = 64;
  std::int64_t early_stop = 0;
  OnDivergence on_divergence = OnDivergence::stop;
  void fields(Fields& f);
};

struct DataOptions {
  DataKind kind = DataKind::copy_language;
  worlds::CopyLanguageOptions copy_language{.length = 65};  // the default context, and a last target
  TextOptions text;
  void fields(Fields& f);
  std::unique_ptr<TokenData> open(std::uint64_t run_seed, const std::string& cache_folder) const;
  std::int64_t vocab() const;  // of the data, without opening it
  double memory() const;       // bytes it takes once open; mapped files take none
};

struct TrainOptions {
  std::int64_t batch = 16, micro_batch = 0, leaves = 1;
  Precision precision = Precision::f32;
  bool checkpoint_activations = false;
  double ema = 0;
  void fields(Fields& f);
};

struct CheckpointOptions {
  std::int64_t every = 100, keep_last = 2, keep_every = 0;
  void fields(Fields& f);
};

struct RunConfig {
  RunOptions run;
  DataOptions data;
  models::GptOptions model;
  TrainOptions train;
  alignment::LanguageModel loss;
  optim::OptimizerOptions optim;
  optim::ScheduleOptions schedule;
  optim::Scaling stability;
  CheckpointOptions checkpoint;
  void fields(Fields& f);
  models::GptOptions model_options(std::int64_t vocab) const;  // with what other tables say of the model
};

}  // namespace plumb::lab
