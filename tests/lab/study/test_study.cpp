// Studies: what the judgement sees, what holds and what does not, and the command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/study/study.h"
#include "tests/lab/run_support.h"

namespace plumb::lab::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Study& qk_norm() {
  for (const Study& s : studies())
    if (s.name == "29/qk_norm") return s;
  throw Bug("29/qk_norm is not registered");
}

// The sweep of 29/qk_norm with results as `loss(intervention, width, rate, seed)` and `logit(..)` say.
template <class Loss, class Logit>
std::vector<Claim> judged(const Loss& loss, const Logit& logit) {
  const SweepPlan plan = plan_sweep(read_toml_file(PLUMB_SOURCE_DIR "/examples/29_small_scale_proxies/qk_norm.toml"));
  std::vector<MemberResult> results;
  for (const auto& m : plan.members) {
    const bool normed = m.config.model.qk_norm != nn::QkNorm::none;
    const auto width = static_cast<double>(m.config.model.width), seed = static_cast<double>(m.config.run.seed - 100);
    results.push_back({.state = MemberState::done,
                       .initial_loss = 5,
                       .val_loss = loss(normed, width, m.config.schedule.lr, seed),
                       .max_attn_logit_block0 = logit(normed, width)});
  }
  return qk_norm().judge(StudyData(plan, results));
}

double as_published(bool normed, double width, double lr, double seed) {
  const double noise = 0.01 * seed;
  if (normed) return 3 - 0.001 * width + (lr > 0.2 ? 0.3 : 0) + noise;
  return 3 + 0.005 * width + (lr > 0.2 ? 0.6 : 0) + noise * 1.5;
}
double logit_as_published(bool normed, double width) { return normed ? 18 : width * width / 4; }

TEST(Study, ClaimsHoldOnWhatThePrototypeSaw) {
  for (const Claim& c : judged(as_published, logit_as_published)) EXPECT_TRUE(c.holds()) << c.text;
}

TEST(Study, AndNotOnTheContrary) {
  const auto claims =
      judged([](bool normed, double width, double lr, double seed) { return as_published(!normed, width, lr, seed); },
             [](bool, double width) { return 10 + 1 / width; });
  for (const Claim& c : claims) EXPECT_FALSE(c.holds()) << c.text;
  // A difference that is there on average but not on every seed is no rescue.
  const auto unsure =
      judged([](bool normed, double width, double lr,
                double seed) { return as_published(normed, width, lr, seed) + (!normed && seed == 4 ? -1.0 : 0.0); },
             logit_as_published);
  EXPECT_FALSE(unsure[0].holds());
}

TEST(Study, ALossThatIsNoneCountsAsTheInitialOne) {
  const SweepPlan plan =
      plan_sweep(parse_toml("[sweep]\n\"schedule.lr\" = [0.1]\n\"run.seed\" = [1, 2, 3]\n", "s.toml"));
  const std::vector<MemberResult> results{{.initial_loss = 4, .val_loss = 3},
                                          {.initial_loss = 4, .val_loss = 9},
                                          {.initial_loss = 4, .val_loss = std::nan("")}};
  const StudyData data(plan, results);
  EXPECT_THAT(data.by_seed({{"schedule.lr", "lr0.1"}}), ElementsAre(3, 4, 4));
  EXPECT_THROW(data.by_seed({{"schedule.lr", "lr0.2"}}), Bug);
}

TEST(Study, RunsItsSweepAndWritesWhatItFound) {
  const Folder folder;
  // The same axes at a size of moments; whether the claims hold does not matter here.
  Value root = read_toml_file(PLUMB_SOURCE_DIR "/examples/29_small_scale_proxies/qk_norm.toml");
  for (const char* s : {"run.steps=2", "run.eval_rows=2", "train.batch=2", "data.length=8", "model.context=7",
                        "model.layers=1", "run.eval_every=2", "checkpoint.every=2"})
    apply_set(root, s);
  files::write_atomically(folder / "s.toml", write_toml(root));
  Child child(
      {"study", "29/qk_norm", "--config", (folder / "s.toml").string(), "--out", (folder / "s").string(), "--quiet"},
      folder / "said");
  EXPECT_EQ(child.wait(), 0);
  const std::string said = files::read_text(folder / "said");
  EXPECT_THAT(said, HasSubstr("rescue high learning rates"));
  EXPECT_THAT(said, HasSubstr("verdict"));
  EXPECT_THAT(files::read_text(folder / "s/study.html"), HasSubstr("rescue high learning rates"));
}

TEST(Study, AnUnknownOneNamesTheNearest) {
  const Ran r = plumb({"study", "29/qk_nrom"});
  EXPECT_EQ(r.code, 1);
  EXPECT_THAT(r.err, HasSubstr("29/qk_norm"));
  EXPECT_THAT(plumb({"study"}).out, HasSubstr("29/qk_norm"));
}

}  // namespace
}  // namespace plumb::lab::test
