// A policy that has not been trained yet is its reference: margins and divergences are 0 and ratios 1, exactly.
#include <fmt/format.h>

#include "core/tensor_ops.h"
#include "lab/check/check.h"
#include "lab/check/numbers/variants.h"
#include "lab/run/trainer.h"

namespace plumb::lab {
namespace {

constexpr std::int64_t rows = 8, length = 31;

// One way to get log-probabilities [B, T] of labels.
struct Path {
  const char* name;
  Tensor (*score)(Trainer& t, const Tensor& tokens, const Tensor& labels);
};

Tensor fused(Trainer& t, const Tensor& tokens, const Tensor& labels, bool recompute = false) {
  const models::GptPass pass{.checkpoint_activations = recompute};
  return t.model().token_logprobs(tokens, labels, pass).value().select(0, 0).contiguous();
}
Tensor on_the_tape(Trainer& t, const Tensor& tokens, const Tensor& labels) { return fused(t, tokens, labels); }
Tensor without_gradient(Trainer& t, const Tensor& tokens, const Tensor& labels) {
  const NoGrad off;
  return fused(t, tokens, labels);
}
Tensor recomputed(Trainer& t, const Tensor& tokens, const Tensor& labels) { return fused(t, tokens, labels, true); }
Tensor in_chunks(Trainer& t, const Tensor& tokens, const Tensor& labels) {
  std::vector<Tensor> parts;
  for (std::int64_t b = 0; b < rows; b += 3)
    parts.push_back(fused(t, tokens.slice(0, b, std::min(rows, b + 3)).contiguous(),
                          labels.slice(0, b, std::min(rows, b + 3)).contiguous()));
  return kernels::concat(parts, 0);
}

Tensor of_logits(const Tensor& logits, const Tensor& labels) {
  const Tensor index = labels.reshape({labels.size(0), labels.size(1), 1});
  return kernels::gather(kernels::softmax(logits, true), index, 2).reshape(labels.shape());
}
Tensor from_logits(Trainer& t, const Tensor& tokens, const Tensor& labels) {
  const NoGrad off;
  return of_logits(t.model().logits(tokens).value(), labels);
}
Tensor from_the_cache(Trainer& t, const Tensor& tokens, const Tensor& labels) {
  const NoGrad off;
  auto cache = t.model().make_cache(rows, length, t.arena().dtype());
  std::vector<Tensor> steps;
  for (std::int64_t i = 0; i < length; ++i) {
    const Tensor logits = t.model().decode(tokens.slice(1, i, i + 1).contiguous(), cache);
    steps.push_back(logits.reshape({rows, 1, logits.size(1)}));
  }
  return of_logits(kernels::concat(steps, 1), labels);
}

// Scores within one of these lists have the same bits.
const std::vector<std::vector<Path>> families{{{"on the tape", on_the_tape},
                                               {"without gradient", without_gradient},
                                               {"with activations recomputed", recomputed},
                                               {"in chunks", in_chunks}},
                                              {{"from logits", from_logits}, {"from the cache", from_the_cache}}};

bool all_are(const Tensor& x, double value) {
  for (const double v : x.to_vector<double>())
    if (v != value) return false;
  return true;
}

// What objectives make of a policy's and a reference's scores [B, T]: rows 0, 2, .. are chosen, the others rejected.
std::string first_that_is_not_zero(const Tensor& policy_BT, const Tensor& reference_BT) {
  const Var token_ratio_BT = Var(policy_BT) - Var(reference_BT);
  const Var ratio_B = sum(Var(policy_BT), {1}) - sum(Var(reference_BT), {1});
  const Var margin_B = 0.1 * (slice(ratio_B, 0, 0, rows, 2) - slice(ratio_B, 0, 1, rows, 2));
  if (!all_are(margin_B.value(), 0)) return "margin";
  if (!all_are(exp(token_ratio_BT).value(), 1) || !all_are(exp(ratio_B).value(), 1)) return "ratio";
  if (!all_are(token_ratio_BT.value(), 0)) return "KL, as the mean of log-ratios";
  if (!all_are((expm1(-token_ratio_BT) + token_ratio_BT).value(), 0)) return "KL, as e^-r - 1 + r";
  if (!all_are((exp(Var(policy_BT)) * token_ratio_BT).value(), 0)) return "KL, weighted by the policy";
  return {};
}

// The same parameters in a model of its own, which began elsewhere.
std::unique_ptr<Trainer> frozen_copy(Trainer& policy, RunConfig config) {
  config.run.seed += 1;
  config.data.copy_language.seed = policy.config().data.copy_language.seed;
  auto copy = std::make_unique<Trainer>(config);
  std::vector<optim::NamedTensor> parameters;
  for (const auto& t : policy.state())
    if (t.name.starts_with("params/")) parameters.push_back(t);
  copy->load_parameters(parameters);
  return copy;
}

CheckResult check_zeros(const CheckOptions& o) {
  Cases cases(o, "references equal to their policy");
  std::int64_t number = 0;
  for (const Variant& v : variants()) {
    if (!v.name.starts_with("model.") && v.name.find('=') != std::string::npos &&
        !v.name.starts_with("train.precision"))
      continue;
    Trainer policy(v.config);
    const auto frozen = frozen_copy(policy, v.config);
    for (std::int64_t batch = 0; batch < (o.full ? 20 : 1); ++batch) {
      const Tensor all = policy.data().batch(batch, rows, length);
      const Tensor tokens = all.slice(1, 0, length).contiguous(), labels = all.slice(1, 1, length + 1).contiguous();
      for (const auto& family : families)
        for (const Path& path : family)
          for (Trainer* reference : {&policy, frozen.get()}) {
            const std::int64_t mine = number++;
            if (!cases.wants(mine)) continue;
            const std::string wrong = first_that_is_not_zero(family.front().score(policy, tokens, labels),
                                                             path.score(*reference, tokens, labels));
            cases.note(mine, wrong.empty(),
                       fmt::format("{}: {} of a reference {}, {}, is not exact", v.name, wrong,
                                   reference == &policy ? "that is the policy" : "frozen", path.name));
          }
    }
  }
  return cases.result();
}

const CheckRegistration registered({.figure = "R9",
                                    .name = "zeros",
                                    .help = "at step 0 a policy is its reference: margin 0, ratio 1, KL 0, exactly",
                                    .run = check_zeros});

}  // namespace
}  // namespace plumb::lab
