// The configuration of a run: what does not go together is refused before anything starts, at its place in the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/config/read.h"
#include "lab/run/run_config.h"
#include "lab/run/trainer.h"
#include "tests/lab/text_support.h"

namespace plumb::lab {
namespace {

using testing::HasSubstr;

// Reads, and opens what the data names, as `plumb train` does.
UserError error_of(const std::string& toml, const std::vector<std::string>& sets = {}) {
  try {
    Value root = parse_toml(toml, "run.toml");
    for (const auto& s : sets) apply_set(root, s);
    RunConfig config;
    read(root, config);
    with_places(root, [&] { config.data.open(0, {}); });
  } catch (const UserError& e) {
    return e;
  }
  return UserError("accepted");
}

void expect_error(const std::string& toml, const std::string& where, const std::string& what,
                  const std::string& hint = "") {
  const auto e = error_of(toml);
  EXPECT_EQ(e.where(), where) << toml;
  EXPECT_THAT(e.message(), HasSubstr(what)) << toml;
  EXPECT_THAT(e.hint(), HasSubstr(hint)) << toml;
}

const std::string fits = "data.length = 65\n";  // the default context of 64 and a last target

TEST(RunConfig, HeadsThatDoNotShareOutTheWidth) {
  expect_error(fits + "[model]\nheads = 3\n", "run.toml:3:9", "model.heads must divide width = 64",
               "choose one of 1, 2, 4, 8, 16, 32");
  expect_error(fits + "[model]\nwidth = 30\n", "run.toml:3:9", "model.heads must divide width = 30");
  expect_error(fits + "[model]\nheads = 0\n", "run.toml:3:9", "model.heads must be at least 1");
}

TEST(RunConfig, RotaryPositionsNeedHeadsOfEvenDimension) {
  const std::string odd = fits + "[model]\nwidth = 36\nheads = 4\n";
  expect_error(odd, "run.toml:4:9", "heads of 9, but rotary positions need an even number", "positions = \"learned\"");
  EXPECT_EQ(error_of(odd + "positions = \"none\"\n").message(), "accepted");
  expect_error(fits + "[model]\nwidth = 9\nheads = 3\n", "run.toml:4:9", "heads of 3", "choose an even width");
}

TEST(RunConfig, KeyHeadsMustDivideHeads) {
  expect_error(fits + "[model]\nkv_heads = 3\n", "run.toml:3:12", "model.kv_heads must divide heads = 4", "1, 2, 4");
  expect_error(fits + "[model]\nkv_heads = 8\n", "run.toml:3:12", "must divide heads = 4");
  EXPECT_EQ(error_of(fits + "[model]\nkv_heads = 2\n").message(), "accepted");
}

TEST(RunConfig, SizesThatAreSlipsOfThePen) {
  expect_error(fits + "[model]\nlayers = 100000000\n", "run.toml:3:10", "at most 4096");
  expect_error(fits + "[model]\nmlp_ratio = 1e300\n", "run.toml:3:13", "at most 1024");
  expect_error(fits + "[model]\nwidth = 100000000\n", "run.toml:3:9", "at most 1048576");
}

TEST(RunConfig, TheContextMustFitTheSequencesOfTheLanguage) {
  expect_error("[data]\nlength = 32\n[model]\ncontext = 32\n", "run.toml:4:11", "model.context must be at most 31",
               "set data.length = 33");
  expect_error("[data]\nlength = 32\n", "run.toml:2:10", "must be at most 31, not 64");
  EXPECT_EQ(error_of("[data]\nlength = 32\n[model]\ncontext = 31\n").message(), "accepted");
}

TEST(RunConfig, TheScheduleMustFitTheRun) {
  const std::string run = fits + "run.steps = 10\n[schedule]\n";
  expect_error(run + "warmup = 11\n", "run.toml:4:10", "schedule.warmup of 11 steps is longer than the run of 10",
               "raise run.steps");
  expect_error(run + "warmup = 1e30\n", "run.toml:4:10", "of 1e+30 steps is longer");
  expect_error(run + "warmup = 1.5\n", "run.toml:4:10", "a fraction below 1 or a whole number");
  expect_error(run + "decay = \"wsd\"\nwarmup = 6\ncooldown = 5\n", "run.toml:5:10",
               "of 6 steps and a cooldown of 5 do not fit a run of 10", "schedule.cooldown");
  expect_error(run + "min_lr = 1\n", "run.toml:4:10", "schedule.min_lr must not exceed lr = 0.003");
  EXPECT_EQ(error_of(run + "warmup = 10\n").message(), "accepted");
  EXPECT_EQ(error_of(run + "warmup = 6\ncooldown = 5\n").message(), "accepted");  // only wsd cools down
}

TEST(RunConfig, BatchesAndMoments) {
  expect_error(fits + "[train]\nleaves = 3\n", "run.toml:3:10", "train.leaves must be a power of two");
  expect_error(fits + "[train]\nleaves = 4\nbatch = 6\n", "run.toml:3:10", "train.leaves must divide batch = 6");
  expect_error(fits + "[optim]\nbetas = [0.9]\n", "run.toml:3:9", "optim.betas must hold two numbers");
}

TEST(RunConfig, ParametrizationsThatDoNotFitTheModelOrTheOptimiser) {
  const auto rule = [](const std::string& name) { return fits + "[stability]\nparametrization = \"" + name + "\"\n"; };
  expect_error(rule("mup_table33"), "run.toml:3:19",
               "must be one of sp, mup_simple, mup_intermediate, mup_full, mup_table3, mup_table8, mup_table9, u_mup",
               "mup_table3");
  expect_error(fits + "[stability]\nbase_width = 0\n", "run.toml:3:14", "stability.base_width must be at least 1");
  expect_error(rule("mup_full") + "base_width = 30\n", "run.toml:4:14",
               "must be a multiple of the 4 heads of the base model, not 30", "choose 32");
  expect_error(rule("mup_full") + "base_width = 20\n", "run.toml:4:14", "4 heads of 5", "choose 40");
  expect_error(rule("mup_table3") + "[model]\ntied_head = true\n", "run.toml:3:19", "learning rates of their own");
  expect_error(rule("u_mup") + "depth_rule = \"sqrt\"\n", "run.toml:4:14", "rule of depth of its own");
  expect_error(rule("mup_table8") + "[optim]\nrule = \"muon\"\n", "run.toml:3:19", "not for optim.rule = \"muon\"");
  expect_error(rule("mup_simple") + "[optim]\nrule = \"sgd\"\n", "run.toml:3:19", "not for optim.rule = \"sgd\"",
               "mup_table9");
  EXPECT_EQ(error_of(rule("mup_table9") + "[optim]\nrule = \"sgd\"\n").message(), "accepted");
}

TEST(RunConfig, FilesThatAreNotThereAreNamedByTheirKey) {
  const testing_support::ScratchFolder folder;
  const auto text = folder.write("a.txt", "some text");
  const auto data = [](const std::string& rest) { return "[data]\nkind = \"text\"\n" + rest; };
  expect_error(data("path = \"no.txt\"\n"), "run.toml:3:8", "data.path: no.txt: there is no such file");
  expect_error(data("path = \"\"\n"), "run.toml:3:8", "data.path: there is no such file");
  expect_error(data("path = []\n"), "run.toml:3:8", "data.path: there is no text");
  expect_error(data("path = \"" + text + "\"\nvalidation_path = \"no.txt\"\n"), "run.toml:4:19", "no.txt");
  expect_error(data("path = \"" + text + "\"\ntokenizer = \"word\"\n"), "run.toml:4:13", "there is no tokenizer");
  expect_error(data("path = \"" + text + "\"\ntokenizer = \"no.model\"\n"), "run.toml:4:13", "no.model");
  EXPECT_EQ(error_of("data.kind = \"text\"\n", {"data.path=no.txt"}).where(), "--set data.path=no.txt");
}

TEST(RunConfig, ATextTooShortForOneRowIsRefusedBeforeTheRunBegins) {
  const testing_support::ScratchFolder folder;
  RunConfig config;
  config.data.kind = DataKind::text;
  config.data.text.path = {folder.write("a.txt", std::string(40, 'a'))};
  config.data.text.validation_path = {folder.write("b.txt", std::string(400, 'b'))};
  try {
    const Trainer trainer(config);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_THAT(e.message(), HasSubstr("the training part has 40 tokens, but one row needs 65"));
  }
}

TEST(RunConfig, EveryKeyHasALineOfHelp) {
  RunConfig config;
  for (const auto& f : list_all_fields(visit_of(config))) EXPECT_NE(f.help, "") << f.path;
}

}  // namespace
}  // namespace plumb::lab
