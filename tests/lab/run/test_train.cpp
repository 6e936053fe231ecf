// A run as its user meets it: begun from another's parameters, stopped early, diverged, asked for what it is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

#include "lab/run/origin.h"
#include "lab/run/verify.h"
#include "tests/lab/run_support.h"
#include "tests/lab/text_support.h"

namespace plumb::lab {
namespace {

using namespace test;
using testing::HasSubstr;

TEST(TrainFrom, TakesTheParametersAndNothingElse) {
  const Folder folder;
  start(tiny_config(), folder / "a");
  RunConfig c = tiny_config(5);
  c.run.seed = 9;
  c.optim.rule = optim::Rule::lion;  // other moments than those of the origin
  const auto origin = read_origin((folder / "a").string()).parameters;
  Trainer fresh(c), trainer(c);
  trainer.load_parameters(origin);
  EXPECT_EQ(trainer.steps_done(), 0);
  EXPECT_FALSE(same_bits(fresh.arena().values(), trainer.arena().values()));
  ASSERT_EQ(origin.size(), trainer.arena().slots().size());
  for (const auto& s : trainer.arena().slots()) {
    const auto it = std::find_if(origin.begin(), origin.end(),
                                 [&](const auto& t) { return t.name == "params/" + s.parameter->name; });
    ASSERT_NE(it, origin.end());
    EXPECT_TRUE(same_bits(it->value, trainer.arena().value(s))) << it->name;
  }
  for (int i = 0; i < 5; ++i) trainer.step();
  // The run and a single checkpoint file say the same.
  for (const std::string from : {"a", "a/ckpt/000012.h5"}) {
    const auto out = folder / (from == "a" ? "b" : "c");
    EXPECT_EQ(start(c, out, (folder / from).string()).steps, 5);
    const auto end = store::load_checkpoint(out / "ckpt/000005.h5");
    std::vector<files::NamedTensor> expected;
    for (const auto& t : trainer.state()) expected.push_back({t.name, t.value});
    EXPECT_EQ(first_difference(expected, end.tensors), "");
  }
  // What becomes of the origin does not matter to them.
  std::filesystem::remove_all(folder / "a");
  for (const char* out : {"b", "c"}) EXPECT_EQ(verify_run((folder / out).string(), true).difference, "");
}

TEST(TrainFrom, RefusesParametersThatDoNotFitInWords) {
  const Folder folder;
  RunConfig origin = tiny_config(3);
  origin.model.layers = 2;
  start(origin, folder / "a");
  const auto refused = [&](auto&& change) {
    RunConfig c = origin;
    change(c);
    const std::string error = error_of([&] { start(c, folder / "b", (folder / "a").string()); });
    EXPECT_FALSE(std::filesystem::exists(folder / "b" / "journal"));
    return error;
  };
  EXPECT_THAT(refused([](RunConfig& c) { c.model.width = 16; }),
              HasSubstr("params/embedding.weight is [128,8] in the checkpoint but [128,16] in this run"));
  EXPECT_THAT(refused([](RunConfig& c) { c.model.layers = 3; }),
              HasSubstr("the checkpoint has no params/blocks.2.attn_norm.gain"));
  EXPECT_THAT(refused([](RunConfig& c) { c.model.layers = 1; }),
              HasSubstr("this run has no params/blocks.1.attn.k.weight, which the checkpoint has"));
  EXPECT_THAT(refused([](RunConfig& c) { c.model.tied_head = true; }), HasSubstr("this run has no params/head"));
  const RunConfig c = tiny_config(3);
  EXPECT_THAT(error_of([&] { start(c, folder / "b", (folder / "nothing").string()); }), HasSubstr("nothing"));
  std::filesystem::create_directories(folder / "empty");
  EXPECT_THAT(error_of([&] { start(c, folder / "b", (folder / "empty").string()); }), HasSubstr("no whole checkpoint"));
  std::ofstream(folder / "text.h5") << "no checkpoint at all";
  EXPECT_THAT(error_of([&] { start(c, folder / "b", (folder / "text.h5").string()); }), HasSubstr("text.h5"));
}

// Training on one text and validating on its opposite: the validation loss falls a little, then rises for good.
RunConfig overfitting(const Folder& folder) {
  std::ofstream(folder / "train.txt") << std::string(400, 'a');
  std::ofstream(folder / "valid.txt") << std::string(100, 'b');
  RunConfig c = tiny_config(60);
  c.run.eval_every = 2;
  c.run.early_stop = 3;
  c.data.kind = DataKind::text;
  c.data.text.path = {(folder / "train.txt").string()};
  c.data.text.validation_path = {(folder / "valid.txt").string()};
  return c;
}

TEST(EarlyStop, EndsAfterSoManyEvaluationsThatAreNoBetter) {
  const Folder folder;
  const RunOutcome out = start(overfitting(folder), folder / "run");
  EXPECT_EQ(out.ending, Ending::early_stopped);
  const auto losses = store::read_run(folder / "run").rows.metrics.at("val_loss");
  double best = INFINITY;
  std::int64_t worse = 0;
  std::size_t i = 0;
  for (; i < losses.values.size() && worse < 3; ++i) {
    worse = losses.values[i] < best ? 0 : worse + 1;
    best = std::min(best, losses.values[i]);
  }
  EXPECT_EQ(i, losses.values.size());
  EXPECT_EQ(worse, 3);
  EXPECT_EQ(out.steps, losses.steps.back());
  EXPECT_LT(out.steps, 60);
  EXPECT_EQ(out.val_loss, losses.values.back());
  EXPECT_EQ(summarise(store::read_run(folder / "run")).status, "stopped early");
  const RunOutcome again = resume(folder / "run");  // is only reported
  EXPECT_EQ(again.ending, Ending::early_stopped);
  EXPECT_EQ(again.steps, out.steps);
}

TEST(EarlyStop, GoesOnCountingWhereAFailedRunStood) {
  const Folder folder;
  const RunConfig c = overfitting(folder);
  start(c, folder / "calm");
  int failed = 0;
  for (const int nth : {20, 60, 61, 62, 63, 64}) {
    const auto run = folder / fmt::format("run{}", nth);
    files::set_fault(files::Fault{files::Op::write, nth, files::Fault::Kind::always});
    const std::string error = error_of([&] { start(c, run); });
    files::set_fault(std::nullopt);
    if (error.empty() || !std::filesystem::exists(run / "journal")) continue;
    ++failed;
    resume(run);
    expect_equal_runs(folder / "calm", run);
  }
  EXPECT_GT(failed, 1);
}

TEST(Divergence, IsAnErrorOrARecordedOutcomeAsAskedFor) {
  const Folder folder;
  std::ofstream(folder / "run.toml") << resolved_toml(tiny_config());
  const std::string config = (folder / "run.toml").string();
  const auto train = [&](const std::string& out, const std::string& steps, const std::string& then) {
    return plumb({"train", config, "--json", "--out", (folder / out).string(), "--set", "schedule.lr=1e30", "--set",
                  "schedule.warmup=0", "--set", "run.steps=" + steps, "--set", "run.on_divergence=" + then});
  };
  for (const std::string steps : {"12", "1"}) {  // seen by a step, and by the last evaluation only
    const auto stopped = train("stop" + steps, steps, "stop");
    EXPECT_EQ(stopped.code, 1);
    EXPECT_THAT(stopped.err, HasSubstr("the run has diverged"));
    EXPECT_THAT(stopped.err, HasSubstr("lower schedule.lr"));
    EXPECT_EQ(summarise(store::read_run(folder / ("stop" + steps))).status, "diverged");
    const auto kept = train("record" + steps, steps, "record");
    EXPECT_EQ(kept.code, 0) << kept.err;
    const auto json = nlohmann::json::parse(kept.out);
    EXPECT_EQ(json["ending"], "diverged");
    EXPECT_FALSE(json.contains("val_loss"));
    EXPECT_THAT(json["blame"].get<std::string>(), HasSubstr("made"));
    EXPECT_TRUE(std::filesystem::exists(json["report"].get<std::string>()));
    EXPECT_EQ(resume(folder / ("record" + steps)).ending, Ending::diverged);  // to the same end
  }
}

TEST(Resume, RefusesAnotherConfigurationNamingTheKeyAndTouchingNothing) {
  const Folder folder;
  files::set_fault(files::Fault{files::Op::rename, 5, files::Fault::Kind::always});  // ends somewhere in the middle
  EXPECT_NE(error_of([&] { start(tiny_config(), folder / "run"); }), "");
  files::set_fault(std::nullopt);
  const std::string run = (folder / "run").string(), journal = files::read_text(folder / "run/journal");
  const auto refused = plumb({"resume", run, "--set", "schedule.lr=0.5", "--set", "train.batch=4"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("train.batch: 2 | 4 (its own | given), and 1 more keys differ"));
  EXPECT_THAT(refused.err, HasSubstr("start a new run for another one"));
  EXPECT_EQ(files::read_text(folder / "run/journal"), journal);
  RunConfig other = tiny_config();
  other.model.width = 16;
  std::ofstream(folder / "other.toml") << resolved_toml(other);
  EXPECT_THAT(plumb({"resume", run, "--config", (folder / "other.toml").string()}).err,
              HasSubstr("model.width: 8 | 16"));
  EXPECT_EQ(plumb({"resume", run, "--quiet", "--set", "train.batch=2"}).code, 0);
  EXPECT_EQ(plumb({"resume", run, "--quiet", "--set", "train.batch=4"}).code, 1);  // a finished one too
}

TEST(Train, MistakesAreNamedWithTheWayOut) {
  const Folder folder;
  std::ofstream(folder / "run.toml") << resolved_toml(tiny_config(2));
  std::ofstream(folder / "empty.txt");
  std::ofstream(folder / "short.txt") << "too short";
  std::ofstream(folder / "bad.txt") << "to be\nor \xff to be\n";
  std::ofstream(folder / "tiny.model") << testing_support::tiny_sentencepiece_model({{"be", -2}, {"to", -2}});
  std::ofstream(folder / "typo.toml") << "[run]\nsteps = 2\n[schedule]\nlrr = 1\n";
  std::ofstream(folder / "text.toml") << "[data]\nkind = \"text\"\npath = \"" << (folder / "missing.txt").string()
                                      << "\"\n";
  const auto expect_error = [&](const std::vector<std::string>& words, int code, const std::string& what,
                                const std::string& hint) {
    std::vector<std::string> all{"train"};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"--out", (folder / "run").string()});
    const auto r = plumb(all);
    EXPECT_EQ(r.code, code) << r.err;
    EXPECT_THAT(r.err, HasSubstr(what));
    EXPECT_THAT(r.err, HasSubstr(hint));
    EXPECT_FALSE(std::filesystem::exists(folder / "run" / "journal"));
  };
  const std::string config = (folder / "run.toml").string(), text = (folder / "text.toml").string();
  expect_error({(folder / "missing.toml").string()}, 1, "missing.toml", "");
  expect_error({(folder / "typo.toml").string()}, 1, "typo.toml:4:1: unknown key \"schedule.lrr\"", "did you mean");
  expect_error({config, "--set", "schedule.lrr=1"}, 1, "lrr", "did you mean");
  expect_error({config, "--set", "model.heads=3"}, 1, "model.heads must divide width = 8, not be 3", "1, 2, 4");
  expect_error({config, "--set", "model.context=100"}, 1, "8 tokens", "length");
  expect_error({text}, 1, "missing.txt: there is no such file", "relative to the folder");
  expect_error({text, "--set", "data.path=" + (folder / "empty.txt").string()}, 1, "the text is empty", "");
  expect_error({text, "--set", "data.path=" + (folder / "short.txt").string()}, 1, "one row needs 65",
               "a shorter context");
  expect_error({text, "--set", "data.path=" + (folder / "bad.txt").string(), "--set",
                "data.tokenizer=" + (folder / "tiny.model").string()},
               1, "bad.txt: is not UTF-8 at byte 9 (line 2)", "data.invalid_utf8");
  expect_error({config, "--from", (folder / "none").string()}, 1, "none", "");
  expect_error({config, "--device", "tpu"}, 1, "tpu", "cpu");
}

}  // namespace
}  // namespace plumb::lab
