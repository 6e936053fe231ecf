// Optimisers over a parameter arena: SGD, AdamW (arXiv 1711.05101; stable: 2304.13013; atan2: 2407.05872), Lion
// (2302.06675), Muon (2502.16982).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/fields.h"
#include "nn/module.h"

namespace plumb::optim {

enum class Rule { adamw, stable, atan2, lion, sgd, muon };
enum class DecayMode { independent, coupled };
enum class MuonScale { moonlight, keller };
enum class Accumulate { sum, ema };

struct OptimizerOptions {
  Rule rule = Rule::adamw;
  std::vector<double> betas{0.9, 0.95};
  double eps = 1e-8, weight_decay = 0, momentum = 0.95, clip_norm = 1;
  DecayMode decay_mode = DecayMode::independent;
  bool nesterov = true;
  MuonScale muon_scale = MuonScale::moonlight;  // update times 0.2 sqrt(max(rows, cols)), or sqrt(max(1, rows/cols))
  Accumulate accumulate = Accumulate::sum;      // of Muon's momentum
  double muon_lr_factor = 1;                    // learning rate of Muon's matrices over that of the rest
  void fields(Fields& f);
};

// What differs from tensor to tensor.
struct Group {
  double lr_multiplier = 1;
  double decay_multiplier = 1;  // of a decay that is coupled to the learning rate
  bool decays = true;
};

struct StepReport {
  double grad_norm = 0;    // before clipping
  double clip_factor = 1;  // what gradients were multiplied by
};

// A named piece of optimiser state, for checkpoints and digests.
struct NamedTensor {
  std::string name;
  Tensor value;
};

class Optimizer {
 public:
  Optimizer(nn::Arena& arena, const OptimizerOptions& options);

  // One update with the arena's gradients: theta <- theta - s_t eta delta - (decay) theta, both with the old theta.
  // lr = eta_t, lr_peak = eta; s_t = lr / lr_peak.
  // grad_norm: global_norm(arena), when the caller has it already (the clip uses it).
  StepReport step(double lr, double lr_peak, std::optional<double> grad_norm = {});

  std::vector<Group>& groups() { return groups_; }  // one for each slot of the arena, in its order
  std::int64_t steps_done() const { return steps_; }
  void set_steps_done(std::int64_t n) { steps_ = n; }
  std::vector<NamedTensor> state() const;  // views: writing into one restores it
  const OptimizerOptions& options() const { return o_; }
  // RMS of the last unscaled update (delta) of slot i; filled while `keep_updates` is on.
  std::vector<double> update_rms;
  bool keep_updates = false;

 private:
  bool is_muon(std::size_t i) const;
  double decay_factor(std::size_t i, double lr, double lr_peak) const;
  void adam(double lr, double lr_peak, double clip);
  double stable_divisor(std::size_t i, double clip) const;
  void lion(std::size_t i, double lr, double decay, double clip);
  void sgd(std::size_t i, double lr, double decay, double clip);
  void muon(std::size_t i, double lr, double decay, double clip);

  nn::Arena& arena_;
  OptimizerOptions o_;
  std::vector<Group> groups_;
  Tensor m_, u_;  // arenas: first moment or momentum; second moment (adam rules)
  std::int64_t steps_ = 0;
};

// Muon's update of one matrix from its momentum (arXiv 2502.16982): five Newton-Schulz steps towards the nearest
// orthogonal matrix. `buffer` is updated.
Tensor muon_update(const Tensor& grad, const Tensor& buffer, double momentum, bool nesterov, Accumulate accumulate,
                   MuonScale scale);

// sqrt of the sum of squares of all gradients, in f64.
double global_norm(const nn::Arena& arena);

}  // namespace plumb::optim
