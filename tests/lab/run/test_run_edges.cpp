// Comparing, listing, verifying and resuming runs where something is missing or odd.
#include <gmock/gmock.h>

#include <fstream>

#include "lab/run/origin.h"
#include "lab/run/verify.h"
#include "tests/lab/run_support.h"

namespace plumb::lab {
namespace {

using namespace test;
using files::NamedTensor;
using testing::HasSubstr;

TEST(RunsUnder, AreTheFoldersWithAJournalAndAConfiguration) {
  const Folder folder;
  EXPECT_TRUE(runs_under((folder / "nowhere").string()).empty());
  for (const char* name : {"b", "sweep/a", "b/inside", "half", "other"}) files::make_folders(folder / name);
  for (const char* run : {"b", "sweep/a", "b/inside"}) {
    files::write_atomically(folder / run / "config.toml", "");
    files::write_atomically(folder / run / "journal", "");
  }
  files::write_atomically(folder / "half/config.toml", "");
  const std::vector<std::string> runs{(folder / "b").string(), (folder / "sweep/a").string()};
  EXPECT_EQ(runs_under(folder.path().string()), runs);  // nothing is sought inside a run
}

TEST(FirstDifference, NamesTheTensorAndTheIndex) {
  const std::vector<NamedTensor> a{{"w", Tensor::of<float>({1, 2})}};
  EXPECT_EQ(first_difference(a, a), "");
  EXPECT_EQ(first_difference(a, {}), "w is only in the first");
  EXPECT_EQ(first_difference({}, a), "w is only in the second");
  EXPECT_EQ(first_difference(a, {{"w", Tensor::of<float>({1, 3})}}), "w differs first at index 1: 2 | 3");
  EXPECT_EQ(first_difference(a, {{"w", Tensor::of<float>({1})}}), "w is f32 [2] | f32 [1]");
  EXPECT_EQ(first_difference(a, {{"w", Tensor::of<double>({1, 2})}}), "w is f32 [2] | f64 [2]");
}

// Two copies of one run; `change` rewrites the rows of the second.
template <class Change>
Difference difference_after(const Change& change) {
  const Folder folder;
  const auto write = [&](const std::string& name, auto&& rows) {
    files::make_folders(folder / name);
    files::write_atomically(folder / name / "config.toml", resolved_toml(tiny_config()));
    store::Journal journal = store::Journal::create(folder / name / "journal");
    rows(journal);
  };
  write("a", [](store::Journal& j) {
    for (int step = 1; step <= 3; ++step)
      j.metrics(step, std::vector<store::NamedValue>{{"loss", 1.0 / step}, {"val_loss", 2.0}});
  });
  write("b", change);
  return compare_runs((folder / "a").string(), (folder / "b").string());
}

TEST(CompareRuns, NamesTheFirstRowThatDiffers) {
  const auto rows = [](store::Journal& j, int first, int last, double loss_at_2, double val_at_3) {
    for (int step = first; step <= last; ++step)
      j.metrics(step, std::vector<store::NamedValue>{{"loss", step == 2 ? loss_at_2 : 1.0 / step},
                                                     {"val_loss", step == 3 ? val_at_3 : 2.0}});
  };
  EXPECT_TRUE(difference_after([&](auto& j) { rows(j, 1, 3, 0.5, 2); }).equal());
  EXPECT_EQ(*difference_after([&](auto& j) { rows(j, 1, 3, 0.25, 3); }).metrics,
            "loss differs first at step 2: 0.5 | 0.25");
  EXPECT_EQ(*difference_after([&](auto& j) { rows(j, 1, 3, 0.5, 3); }).metrics,
            "val_loss differs first at step 3: 2 | 3");
  EXPECT_EQ(*difference_after([&](auto& j) { rows(j, 1, 2, 0.5, 2); }).metrics, "loss has 3 values | 2");
  EXPECT_THAT(*difference_after([&](auto& j) { rows(j, 2, 3, 0.5, 2); }).metrics, HasSubstr("differs first at step 1"));
  EXPECT_EQ(*difference_after([](auto&) {}).metrics, "only the first has loss");
}

TEST(ConfigDifference, ListsEveryKeyThatOneOfThemHas) {
  RunConfig a = tiny_config(), b = a;
  EXPECT_TRUE(config_difference(a, b).empty());
  b.data.kind = DataKind::text;
  b.data.text.path = {"x.txt"};
  const auto lines = config_difference(a, b);
  EXPECT_THAT(lines, testing::Contains(R"(data.kind: "copy_language" | "text")"));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("data.length: 8 | not there")));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("data.path: not there | ")));
}

TEST(Verify, FindsACheckpointAndAConfigurationThatAreNotWhatTheyWere) {
  const Folder folder;
  const auto run = folder / "run";
  RunConfig c = tiny_config();
  c.train.ema = 0.5;
  c.train.micro_batch = 1;
  c.train.leaves = 2;
  c.train.precision = Precision::f64;
  c.loss.z_loss = 1e-3;
  start(c, run);
  const Verdict same = verify_run(run.string(), true);
  EXPECT_TRUE(same.equal) << same.difference;
  EXPECT_GT(same.compared_rows, 0);
  EXPECT_GT(same.compared_checkpoints, 0);

  const store::CheckpointFolder checkpoints(run / "ckpt");
  store::Checkpoint last = store::load_checkpoint(checkpoints.path_of(12));
  last.tensors[0].value = last.tensors[0].value.clone();
  last.tensors[0].value.fill_(0.25);
  store::save_checkpoint(checkpoints.path_of(12), last);
  EXPECT_THAT(verify_run(run.string(), true).difference, HasSubstr("step 12: " + last.tensors[0].name + " differs"));

  RunConfig other = c;
  other.run.seed = 5;
  files::write_atomically(run / "config.toml", resolved_toml(other));
  EXPECT_THAT(test::error_of([&] { verify_run(run.string(), true); }), HasSubstr("the configuration is damaged"));
}

TEST(Resume, OfAnEndedRunGivesItsOutcomeAgain) {
  const Folder folder;
  const auto first = start(tiny_config(), folder / "run"), again = resume(folder / "run");
  EXPECT_EQ(again.ending, first.ending);
  EXPECT_EQ(again.steps, first.steps);
  EXPECT_EQ(again.val_loss, first.val_loss);
  EXPECT_EQ(again.floor, first.floor);
  EXPECT_EQ(again.sample, first.sample);
}

TEST(Resume, WithoutTheParametersItStartedFromSaysSo) {
  const Folder folder;
  start(tiny_config(), folder / "a");
  start(tiny_config(), folder / "b", (folder / "a").string());
  std::filesystem::remove(folder / "b/origin.h5");
  EXPECT_THAT(error_of([&] { verify_run((folder / "b").string(), true); }), HasSubstr("origin.h5 is missing"));
}

TEST(Checkpoint, OfAnotherModelIsRefusedInWords) {
  Trainer trainer(tiny_config());
  auto state = trainer.state();
  const auto error = [&](const auto& from) { return error_of([&] { trainer.restore(from, 1); }); };
  auto extra = state, fewer = state, larger = state;
  extra.push_back({"params/none", Tensor::of<float>({1})});
  fewer.pop_back();
  larger[0].value = Tensor::zeros({1}, larger[0].value.dtype());
  EXPECT_THAT(error(extra), HasSubstr("this run has no params/none"));
  EXPECT_THAT(error(fewer), HasSubstr("the checkpoint has no"));
  EXPECT_THAT(error(larger), HasSubstr("a model of another size"));
  EXPECT_EQ(sample_text(trainer, 0), "");
}

}  // namespace
}  // namespace plumb::lab
