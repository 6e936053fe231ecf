// A run of seconds.
#include "lab/check/small_run.h"

#include <fmt/format.h>

#include <filesystem>

#include "lab/run/run_loop.h"

namespace plumb::lab {

RunConfig small_config() {
  RunConfig c;
  c.run.steps = 60;
  c.run.eval_rows = 8;
  c.data.copy_language.length = 32;
  c.model.width = 32;
  c.model.layers = 2;
  c.model.heads = 4;
  c.model.kv_heads = 2;
  c.model.context = 31;
  c.model.qk_norm = nn::QkNorm::layernorm;
  c.model.bias = true;
  c.train.batch = 8;
  c.loss.z_loss = 1e-4;
  c.schedule.lr = 1e-2;
  return c;
}

RunConfig smallest_config() {
  RunConfig c;
  c.run.steps = 4;
  c.run.log_every = 1;
  c.run.eval_every = 2;
  c.run.eval_rows = 2;
  c.run.sample_tokens = 3;
  c.data.copy_language.vocab = 4;
  c.data.copy_language.copy_distance = 2;
  c.data.copy_language.length = 4;
  c.model.width = 2;
  c.model.layers = 1;
  c.model.heads = 1;
  c.model.context = 3;
  c.train.batch = 2;
  c.optim.rule = optim::Rule::sgd;
  c.checkpoint.every = 2;
  c.checkpoint.keep_last = 2;
  return c;
}

void start_quietly(const RunConfig& config, const std::string& folder) {
  start_run(config, {.folder = folder, .quiet = true});
}

void go_on_quietly(const RunConfig& config, const std::string& folder) {
  if (!std::filesystem::exists(files::Path(folder) / "journal")) start_quietly(config, folder);
  else resume_run({.folder = folder, .quiet = true});
}

std::string outcome_of(const RunConfig& config, std::int64_t steps) {
  Trainer t(config);
  std::string metrics;
  for (std::int64_t i = 0; i < steps; ++i) {
    const StepResult r = t.step();
    metrics += fmt::format("{:a} {:a} {:a} {:a};", r.loss, r.z_loss, r.log_z, r.grad_norm);
  }
  metrics += fmt::format("{:a}", t.evaluate());
  return digest_of(t) + files::digest(metrics);
}

}  // namespace plumb::lab
