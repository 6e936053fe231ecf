// Language modelling with z-loss.
#include "alignment/supervised/language_model.h"

#include "core/tensor_ops.h"

namespace plumb::alignment {

void LanguageModel::fields(Fields& f) {
  f("z_loss", z_loss).at_least(0).help("coefficient of (log Z - z_target)^2; 0 = off, 1e-4 is usual");
  f("z_target", z_target).help("where log Z is held");
}

Outcome LanguageModel::operator()(const Var& logprobs_2BT, const Tensor& labels_BT) const {
  const Tensor masked_BT = kernels::scalar("labels", kernels::Binary::less, labels_BT, 0);
  const double tokens = static_cast<double>(labels_BT.numel()) -
                        kernels::reduce("labels", kernels::Reduce::sum, masked_BT.to(DType::f64), {}, false).item();
  const Var logp_BT = select(logprobs_2BT, 0, 0), log_z_BT = select(logprobs_2BT, 0, 1);
  Outcome out;
  out.loss.push_back({"cross_entropy", sum(-logp_BT, {1}), Unit::tokens, tokens, 1});
  if (z_loss > 0) {
    const Var zero(Tensor::scalar(0, log_z_BT.dtype(), log_z_BT.device()));
    out.loss.push_back(
        {"z_loss", sum(square(where(masked_BT, zero, log_z_BT - z_target)), {1}), Unit::tokens, tokens, z_loss});
  }
  out.metrics.push_back(
      {"log_z", kernels::reduce("log_z", kernels::Reduce::sum, log_z_BT.value(), {1}, false), tokens});
  return out;
}

}  // namespace plumb::alignment
