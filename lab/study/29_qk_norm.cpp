// Small-scale proxies (arXiv 2309.14322), figures 1 and 2 at the scale of minutes: claims 1 to 3.
#include <fmt/format.h>

#include <algorithm>

#include "lab/study/study.h"

namespace plumb::lab {
namespace {

using Place = StudyData::Place;
constexpr const char* sizes[] = {"d16", "d32", "d64", "d128"};

Place at(const std::string& intervention, const std::string& size, const std::string& lr) {
  return {{"intervention", intervention}, {"size", size}, {"schedule.lr", lr}};
}

// Four of five seeds, as for every claim of which the prototype saw one seed.
bool nearly_all(std::int64_t wins, std::int64_t n) { return 5 * wins >= 4 * n; }

Claim rescues(const StudyData& data) {
  Claim claim{.text = "Normalised queries and keys rescue high learning rates",
              .setup = "width 32, 2 layers, 300 steps, learning rates 0.1 and 0.3, validation loss",
              .expected =
                  "none - qk_norm above 0 on all seeds, above 0.1 on average, p < 0.01; the prototype saw 0.23 and "
                  "0.69",
              .criteria = {}};
  for (const std::string lr : {"lr0.1", "lr0.3"}) {
    const auto none = data.by_seed(at("none", "d32", lr)), normed = data.by_seed(at("qk_norm", "d32", lr));
    std::vector<double> difference;
    for (std::size_t i = 0; i < none.size(); ++i) difference.push_back(none[i] - normed[i]);
    const PairedTest t = paired_t(none, normed);
    claim.criteria.push_back({.text = fmt::format("loss at {}, none - qk_norm, nats/token", lr.substr(2)),
                              .measured = bootstrap_mean(difference),
                              .n = t.n,
                              .test = fmt::format("paired t {:.2f}, p {:.2g}, {} of {} seeds", t.t, t.p, t.wins, t.n),
                              .holds = t.wins == t.n && t.mean > 0.1 && t.p < 0.01});
  }
  return claim;
}

// How many seeds have `ordered` values from one size to the next.
template <class Ordered>
Criterion over_sizes(const StudyData& data, const std::string& intervention, std::size_t first,
                     StudyData::Metric metric, std::string text, const Ordered& ordered) {
  std::vector<std::vector<double>> values;
  for (std::size_t s = first; s < std::size(sizes); ++s)
    values.push_back(data.by_seed(at(intervention, sizes[s], "lr0.1"), metric));
  const std::size_t n = values[0].size();
  std::vector<double> ends;
  std::int64_t wins = 0;
  for (std::size_t seed = 0; seed < n; ++seed) {
    bool all = true;
    for (std::size_t s = 0; s + 1 < values.size(); ++s) all &= ordered(values[s][seed], values[s + 1][seed]);
    wins += all;
    ends.push_back(values.back()[seed] - values.front()[seed]);
  }
  return {.text = std::move(text),
          .measured = bootstrap_mean(ends),
          .n = static_cast<std::int64_t>(n),
          .test = fmt::format("ordered on {} of {} seeds", wins, n),
          .holds = nearly_all(wins, static_cast<std::int64_t>(n))};
}

Claim logits_grow(const StudyData& data) {
  constexpr auto logit = StudyData::Metric::max_attn_logit_block0;
  Claim claim{.text = "Without normalisation attention logits grow with the model",
              .setup = "largest attention logit of block 0 at the end, learning rate 0.1",
              .expected =
                  "none above 10 times qk_norm at width 64, and growing with the width; the prototype saw 569 "
                  "against 18, and 76, 569, 2670 at widths 32, 64, 128",
              .criteria = {}};
  const auto none = data.by_seed(at("none", "d64", "lr0.1"), logit),
             normed = data.by_seed(at("qk_norm", "d64", "lr0.1"), logit);
  std::vector<double> ratio;
  std::int64_t wins = 0;
  for (std::size_t i = 0; i < none.size(); ++i) {
    ratio.push_back(none[i] / normed[i]);
    wins += ratio.back() > 10;
  }
  const auto n = static_cast<std::int64_t>(ratio.size());
  claim.criteria.push_back({.text = "width 64, none / qk_norm",
                            .measured = bootstrap_mean(ratio),
                            .n = n,
                            .test = fmt::format("above 10 on {} of {} seeds", wins, n),
                            .holds = nearly_all(wins, n)});
  claim.criteria.push_back(over_sizes(data, "none", 0, logit, "none grows with each width; measured: 128 - 16",
                                      [](double a, double b) { return a < b; }));
  return claim;
}

Claim size_trend(const StudyData& data) {
  constexpr auto loss = StudyData::Metric::val_loss;
  Claim claim{.text = "High learning rates hurt larger models more, unless queries and keys are normalised",
              .setup = "validation loss at learning rate 0.1 against the width",
              .expected =
                  "none does not fall from width 16 on (the prototype saw 3.02, 3.24, 3.76, 3.79); qk_norm falls from "
                  "width 32 on (2.89, 2.80, 2.78)",
              .criteria = {}};
  claim.criteria.push_back(over_sizes(data, "none", 0, loss, "none does not fall; measured: width 128 - 16, nats/token",
                                      [](double a, double b) { return a <= b; }));
  claim.criteria.push_back(over_sizes(data, "qk_norm", 1, loss, "qk_norm falls; measured: width 128 - 32, nats/token",
                                      [](double a, double b) { return a > b; }));
  return claim;
}

std::vector<Claim> judge(const StudyData& data) { return {rescues(data), logits_grow(data), size_trend(data)}; }

const StudyRegistration registered({.name = "29/qk_norm",
                                    .title = "attention logits, learning rate and size",
                                    .source = "Small-scale proxies, arXiv 2309.14322, figures 1 and 2",
                                    .config = "29_small_scale_proxies/qk_norm.toml",
                                    .judge = judge});

}  // namespace
}  // namespace plumb::lab
