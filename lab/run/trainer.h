// Trainer: data, model and optimiser of one run, stepped one optimiser step at a time. Knows nothing of files.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lab/run/run_config.h"
#include "optim/ema.h"

namespace plumb::lab {

struct StepResult {
  double loss = 0, z_loss = 0, log_z = 0, grad_norm = 0, clip_factor = 1, lr = 0;
  std::int64_t tokens = 0;
  bool finite = true;  // false: the parameters were left as they were before the step
};

// The largest attention logits of an evaluation, after scaling and before any softcap (arXiv 2309.14322, figure 2).
struct AttentionPeaks {
  double first_block = -std::numeric_limits<double>::infinity(), all_blocks = first_block;
};

class Trainer {
 public:
  Trainer(const RunConfig& config, const std::string& cache_folder = {}, Device device = cpu_device);
  // On data of one's own in place of what the configuration names.
  Trainer(std::unique_ptr<TokenData> data, const RunConfig& config, Device device = cpu_device);

  StepResult step();  // does optimiser step number steps_done()
  // Mean cross-entropy of the validation sequences, nats a token.
  double evaluate(AttentionPeaks* peaks = nullptr);
  std::optional<double> entropy_floor();  // of the same tokens, where the truth is known
  // Runs the step that was not finite once more and names what held or made the first NaN or infinity: a parameter, an
  // operator (with the row of the batch), or the sum of a gradient.
  std::string blame();

  std::int64_t steps_done() const { return done_; }
  // Everything a run resumes from: params/..., optim/..., state/...
  std::vector<optim::NamedTensor> state();
  void restore(const std::vector<optim::NamedTensor>& state, std::int64_t steps_done);
  void load_parameters(const std::vector<optim::NamedTensor>& params);  // of another run: names and shapes must fit

  const RunConfig& config() const { return config_; }
  models::Gpt& model() { return *model_; }
  nn::Arena& arena() { return *arena_; }
  TokenData& data() { return *data_; }
  // Of the products of a step: forward, backward, and what recomputation does again.
  double train_flops_per_token() const;

 private:
  struct Sums {
    double cross_entropy = 0, z = 0, log_z = 0, tokens = 0;
  };
  Sums accumulate(const Tensor& tokens, std::int64_t first, std::int64_t last, double whole_count);
  Sums accumulate_leaves(const Tensor& tokens, double whole_count);
  models::GptPass pass(std::int64_t row) const;
  std::string blamed_operator();

  struct Piece {
    std::int64_t first = 0, rows = 0;
  };

  RunConfig config_;
  Device device_;
  std::unique_ptr<TokenData> data_;
  std::unique_ptr<models::Gpt> model_;
  std::unique_ptr<nn::Arena> arena_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<optim::Ema> ema_;
  optim::Schedule schedule_;
  Tensor validation_;
  std::int64_t done_ = 0;
  Piece piece_;  // of the batch, in work now
};

}  // namespace plumb::lab
