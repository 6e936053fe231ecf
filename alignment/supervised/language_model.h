// Language modelling: cross-entropy of the next token, with the z-loss that holds log Z near a target.
#pragma once

#include "alignment/contract/outcome.h"
#include "core/fields.h"

namespace plumb::alignment {

// Mean over unmasked tokens of -log p(label) + coef (log Z - target)^2 (arXiv 2309.14322; PaLM, 2204.02311).
struct LanguageModel {
  double z_loss = 0, z_target = 0;
  void fields(Fields& f);
  // logprobs [2, B, T] as Gpt::token_logprobs gives them (log-probability of each label, log Z; zeros where a label is
  // negative), labels i64 [B, T].
  Outcome operator()(const Var& logprobs_2BT, const Tensor& labels_BT) const;
};

}  // namespace plumb::alignment
