// What is done for speed or memory, off and on: the same bits where that is promised, else within what is declared here.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "autograd/backward.h"
#include "lab/check/check.h"
#include "lab/check/numbers/ulps.h"
#include "lab/check/numbers/variants.h"
#include "lab/check/small_run.h"
#include "models/sampler.h"
#include "nn/layers.h"

namespace plumb::lab {
namespace {

// The largest difference, in units of the last place of the largest value.
double ulps_of_largest(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double largest = 0, off = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(y[i]));
    off = std::isfinite(x[i] - y[i]) ? std::max(off, std::abs(x[i] - y[i])) : HUGE_VAL;
  }
  return off / spacing(static_cast<float>(largest));
}

// A value and the gradients of its inputs.
using Differentiated = std::vector<Tensor>;
Differentiated differentiated(const std::function<Var(const std::vector<Var>&)>& f, const std::vector<Tensor>& inputs) {
  std::vector<Var> leaves;
  for (const auto& t : inputs) leaves.push_back(Var::leaf(t));
  const Var y = f(leaves);
  backward(sum(square(y)));
  Differentiated all{y.value()};
  for (const auto& x : leaves) all.push_back(x.grad());
  return all;
}
double farthest(const Differentiated& a, const Differentiated& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, ulps_of_largest(a[i], b[i]));
  return worst;
}

// The head without its [B, T, V] logits, against plain operators.
double fused_head(const Key& key, std::int64_t vocab, double softcap) {
  const std::vector<Tensor> inputs{key.at("x").normal({3, 17, 48}), key.at("w").normal({vocab, 48})};
  std::vector<std::int64_t> labels;
  for (std::uint64_t i = 0; i < 3 * 17; ++i)
    labels.push_back(static_cast<std::int64_t>(key.below(static_cast<std::uint64_t>(vocab) + 1, i)) - 1);  // -1: masked
  const Tensor y = Tensor::from(labels, {3, 17});
  const HeadOptions options{.scale = 0.3, .softcap = softcap};
  return farthest(
      differentiated([&](const auto& v) { return token_logprobs(v[0], v[1], {}, y, options); }, inputs),
      differentiated([&](const auto& v) { return token_logprobs_composed(v[0], v[1], {}, y, options); }, inputs));
}

double fused_attention(const Key& key, const AttentionOptions& options) {
  const std::vector<Tensor> inputs{key.at("q").normal({2, 37, 4, 16}), key.at("k").normal({2, 37, 2, 16}),
                                   key.at("v").normal({2, 37, 2, 16})};
  return farthest(differentiated([&](const auto& v) { return attention(v[0], v[1], v[2], options); }, inputs),
                  differentiated([&](const auto& v) { return attention_composed(v[0], v[1], v[2], options); }, inputs));
}

bool statistics_change_nothing(const Key& key) {
  const auto with = [&](Tensor* logit, Tensor* entropy) {
    const AttentionOptions options{.scale = 0.25, .max_logit = logit, .entropy = entropy};
    return attention(Var(key.at("q").normal({2, 37, 4, 16})), Var(key.at("k").normal({2, 37, 4, 16})),
                     Var(key.at("v").normal({2, 37, 4, 16})), options)
        .value();
  };
  Tensor logit, entropy;
  return same_bits(with(nullptr, nullptr), with(&logit, &entropy));
}

// Three runs in one product, against each by itself.
bool packed(const Key& key) {
  const Tensor x = key.at("x").normal({3, 4, 5, 24}), w = key.at("w").normal({3, 40, 24}),
               b = key.at("b").normal({3, 40});
  const auto layer = [](const auto& v) { return gelu(linear(v[0], v[1], v[2])); };
  const auto together = differentiated(layer, {x, w, b});
  for (std::int64_t r = 0; r < 3; ++r) {
    const auto alone =
        differentiated(layer, {x.select(0, r).contiguous(), w.select(0, r).contiguous(), b.select(0, r).contiguous()});
    for (std::size_t i = 0; i < alone.size(); ++i)
      if (!same_bits(alone[i], together[i].select(0, r).contiguous())) return false;
  }
  return true;
}

// Cached keys and weights laid out for decoding, against the whole text read again for each token.
bool sampled(const RunConfig& config, std::int64_t tokens) {
  Trainer t(config);
  for (int i = 0; i < 3; ++i) t.step();
  const std::vector<std::vector<std::int64_t>> prompts{{1, 2, 3}, {4}, {5, 6}};
  const auto drawn = models::sample(t.model(), prompts, {.temperature = 0, .max_tokens = tokens}, Key(1));
  const NoGrad off;
  for (std::size_t r = 0; r < prompts.size(); ++r) {
    auto text = prompts[r];
    for (const auto token : drawn[r].tokens) {
      const auto n = static_cast<std::int64_t>(text.size());
      const Tensor logits = t.model().logits(Tensor::from(text, {1, n})).value();
      const auto last = logits.select(1, n - 1).contiguous().to_vector<double>();
      if (token != std::max_element(last.begin(), last.end()) - last.begin()) return false;
      text.push_back(token);
    }
  }
  return true;
}

std::string outcome_with(RunConfig c, const std::function<void(RunConfig&)>& change, std::int64_t steps) {
  change(c);
  return outcome_of(c, steps);
}

template <class Work>
void same(Cases& cases, const std::string& what, const Work& equal) {
  if (cases.next()) cases.note(equal(), what + ": the bits differ");
}
template <class Work>
void near(Cases& cases, const std::string& what, double limit, const Work& ulps) {
  if (!cases.next()) return;
  const double u = ulps();
  const std::string line = fmt::format("{:<40} {:8.3f} of {} ulps of the largest value", what, u, limit);
  cases.note(u <= limit, line);
  cases.detail(line);
}

void runs(Cases& cases, bool full) {
  const std::int64_t steps = full ? 40 : 4;
  const auto all = variants();
  for (const Variant& v : all) {
    if (v.name != "plain" && !full) break;
    const std::string expected = outcome_of(v.config, steps);
    const auto changed = [&](const char* what, const std::function<void(RunConfig&)>& change) {
      same(cases, fmt::format("{}: {}", v.name, what),
           [&] { return outcome_with(v.config, change, steps) == expected; });
    };
    changed("recomputed activations", [](RunConfig& c) { c.train.checkpoint_activations ^= true; });
    changed("micro-batches", [](RunConfig& c) { c.train.micro_batch = 3; });
    changed("both", [](RunConfig& c) { c.train.checkpoint_activations ^= true, c.train.micro_batch = 2; });
  }
  for (const Variant& v : all)
    if (v.name.starts_with("model.") || v.name == "plain")
      same(cases, v.name + ": weights laid out for sampling", [&] { return sampled(v.config, full ? 20 : 4); });
}

// The farthest apart, over inputs drawn from many keys.
template <class Ulps>
double farthest_of(const std::vector<Key>& keys, const Ulps& ulps) {
  double worst = 0;
  for (const Key& key : keys) worst = std::max(worst, ulps(key));
  return worst;
}

CheckResult check_switches(const CheckOptions& o) {
  Cases cases(o, "switches that change nothing");
  std::vector<Key> keys;
  for (std::uint64_t i = 0; i < (o.full ? 200u : 3u); ++i) keys.push_back(Key(o.seed).at("switches").at(i));
  for (const std::int64_t vocab : {5, 64, 1001})
    for (const double softcap : {0.0, 3.0})
      near(cases, fmt::format("fused head, {} classes, softcap {}", vocab, softcap), 16,
           [&] { return farthest_of(keys, [&](const Key& key) { return fused_head(key, vocab, softcap); }); });
  const std::pair<const char*, AttentionOptions> attentions[] = {
      {"fused attention", {.scale = 0.25}},
      {"fused attention, softcap", {.scale = 0.25, .softcap = 2}},
      {"fused attention, squared relu", {.scale = 0.25, .squared_relu = true}},
      {"fused attention, not causal", {.scale = 0.25, .causal = false}}};
  for (const auto& [what, options] : attentions)
    near(cases, what, 32, [&, &with = options] {
      return farthest_of(keys, [&](const Key& key) { return fused_attention(key, with); });
    });
  for (const Key& key : keys) {
    same(cases, "statistics of attention", [&] { return statistics_change_nothing(key); });
    same(cases, "packed runs", [&] { return packed(key); });
  }
  runs(cases, o.full);
  return cases.result();
}

const CheckRegistration registered({.figure = "R21",
                                    .name = "switches",
                                    .help = "optimisations off and on give the same bits, or as near as declared",
                                    .run = check_switches});

}  // namespace
}  // namespace plumb::lab
