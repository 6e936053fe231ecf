// The run folder: what is written can be read, and a killed run resumes to the same content.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <fstream>

#include "core/files/atomic_file.h"
#include "core/files/hdf5_file.h"
#include "lab/store/run_store.h"
#include "tests/files_support.h"

namespace plumb::store {
namespace {

using files::Fault;
using files::Op;
using test::error_of;
using test::Folder;

constexpr std::int64_t steps = 12, every = 3;

// A stand-in for a training run: the state is one number that depends on every step before.
void train(RunStore& store, double state, std::int64_t done) {
  for (auto step = done + 1; step <= steps; ++step) {
    state = state * 0.75 + static_cast<double>(step);
    store.metrics(step, std::vector<NamedValue>{{"loss", state}, {"rewards/chosen", -state}});
    store.timing(step, std::vector<NamedValue>{{"seconds", 0.1}});
    if (step % every != 0) continue;
    Checkpoint c{.step = step, .seed = 1, .config = store.config(), .isa = "avx2", .tensors = {}};
    c.tensors = {{"params/w", Tensor::of<double>({state})}};
    store.save(c, {.keep_last = 2});
  }
  store.publish();
}

void start(const Path& folder) {
  RunStore store = RunStore::create(folder, "[run]\nsteps = 12\n", {{"isa", "avx2"}, {"command", "plumb train"}});
  store.describe({"loss", "nats", "mean over tokens"});
  train(store, 0, 0);
}

std::vector<std::string> go_on(const Path& folder) {
  Resumption how;
  RunStore store = RunStore::resume(folder, how);
  if (!how.checkpoint) {
    store.describe({"loss", "nats", "mean over tokens"});
    train(store, 0, 0);
  } else {
    train(store, how.checkpoint->find("params/w")->data<double>()[0], how.checkpoint->step);
  }
  return how.warnings;
}

void expect_same(const Path& a, const Path& b) {
  EXPECT_EQ(read_run(a).digest(), read_run(b).digest());
  EXPECT_EQ(files::read_text(a / "ckpt/000012.h5"), files::read_text(b / "ckpt/000012.h5"));
  EXPECT_EQ(read_run(a / "run.h5").digest(), read_run(b / "run.h5").digest());
  EXPECT_EQ(test::temporaries_in(b), 0);
}

TEST(RunStore, HoldsWhatOthersRead) {
  const Folder folder;
  start(folder / "run");
  const RunContent live = read_run(folder / "run"), file = read_run(folder / "run/run.h5");
  EXPECT_EQ(live.name, "run");
  EXPECT_EQ(file.name, "run");
  EXPECT_EQ(live.digest(), file.digest());
  EXPECT_EQ(file.config, "[run]\nsteps = 12\n");
  EXPECT_EQ(file.rows.metrics.at("loss").info.units, "nats");
  EXPECT_EQ(file.rows.metrics.at("rewards/chosen").steps.size(), 12u);
  EXPECT_EQ(file.rows.timing.at("seconds").values.size(), 12u);
  EXPECT_EQ(file.rows.provenance.at("command"), "plumb train");
  const files::Hdf5Reader h5(folder / "run/run.h5");
  EXPECT_TRUE(h5.has("metrics/rewards/chosen/values"));
  EXPECT_EQ(CheckpointFolder(folder / "run/ckpt").steps(), (std::vector<std::int64_t>{9, 12}));
}

TEST(RunStore, RefusesToOverwriteARun) {
  const Folder folder;
  start(folder / "run");
  EXPECT_NE(error_of([&] { start(folder / "run"); }).find("there is a run here already"), std::string::npos);
  EXPECT_NE(error_of([&] { read_run(folder.path()); }).find("no run here"), std::string::npos);
  EXPECT_NE(error_of([&] { go_on(folder.path()); }).find("no run here"), std::string::npos);
}

TEST(RunStore, KeepsMetricsWhoseNamesLookLikeItsOwn) {
  const Folder folder;
  const std::vector<NamedValue> row{{"x", 1}, {"x/steps", 2}, {"x/values", 3}, {"x/steps_", 4}, {"x/steps_per", 5}};
  {
    RunStore store = RunStore::create(folder / "run", "", {});
    store.metrics(1, row);
    for (const char* bad : {"", "/a", "a//b", "a/", "./a", "a\nb"}) {
      EXPECT_NE(error_of([&] { store.metrics(1, std::vector<NamedValue>{{bad, 1}}); }), "") << bad;
    }
    store.publish();
  }
  const RunContent run = read_run(folder / "run/run.h5");
  for (const auto& [name, value] : row) EXPECT_EQ(run.rows.metrics.at(name).values, std::vector<double>{value}) << name;
}

TEST(RunStore, ResumesFromAnOlderCheckpointWhenTheNewestIsDamaged) {
  const Folder folder;
  start(folder / "straight");
  start(folder / "run");
  std::string bytes = files::read_text(folder / "run/ckpt/000012.h5");
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(folder / "run/ckpt/000012.h5", std::ios::binary) << bytes;
  const auto warnings = go_on(folder / "run");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("000012.h5: the checkpoint is damaged"), std::string::npos);
  expect_same(folder / "straight", folder / "run");
}

TEST(RunStore, ResumesBeforeTheDamageOfItsJournal) {
  const Folder folder;
  start(folder / "straight");
  start(folder / "run");
  std::string bytes = files::read_text(folder / "run/journal");
  bytes[bytes.size() * 6 / 7] ^= 16;  // behind the mark of step 9
  std::ofstream(folder / "run/journal", std::ios::binary) << bytes;
  const auto warnings = go_on(folder / "run");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("damaged at byte"), std::string::npos) << warnings[0];
  expect_same(folder / "straight", folder / "run");
}

TEST(RunStore, RefusesAConfigurationThatIsNotItsOwn) {
  const Folder folder;
  start(folder / "run");
  std::ofstream(folder / "run/config.toml") << "[run]\nsteps = 13\n";
  for (const std::string& error :
       {error_of([&] { read_run(folder / "run"); }), error_of([&] { go_on(folder / "run"); })}) {
    EXPECT_NE(error.find("config.toml: the configuration is damaged, or was changed"), std::string::npos) << error;
  }
  std::ofstream(folder / "run/config.toml") << "[run]\nsteps = 12\n";
  EXPECT_EQ(read_run(folder / "run").damage, "");
}

TEST(RunStore, NoticesAJournalThatEndsBeforeACheckpoint) {
  const Folder folder;
  start(folder / "straight");
  start(folder / "run");
  std::string bytes = files::read_text(folder / "run/journal");
  bytes.resize(bytes.size() - 20);  // the mark of step 12, whole: nothing in the journal tells
  std::ofstream(folder / "run/journal", std::ios::binary) << bytes;
  EXPECT_EQ(read_run(folder / "run").rows.dropped_bytes, 0u);
  EXPECT_NE(read_run(folder / "run").damage.find("the checkpoint of step 12 are lost"), std::string::npos);
  EXPECT_THAT(go_on(folder / "run"), testing::ElementsAre(testing::HasSubstr("journal: cut short")));
  expect_same(folder / "straight", folder / "run");
}

// Runs f in a child that dies at the n-th call of this kind. False when it lived to its end.
template <class F>
bool killed_at(Op op, int nth, F&& f) {
  const pid_t child = fork();
  if (child == 0) {
    files::set_fault(Fault{op, nth, Fault::Kind::kill_within});
    f();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST(RunStore, KilledAtAnyCallAndAgainWhileResumingEndsTheSame) {
  const Folder folder;
  start(folder / "straight");
  int kills = 0;
  for (const Op op : files::all_ops) {
    for (int nth = 1; nth < 200; nth += 1 + nth / 3) {
      const Path run = folder / fmt::format("{}-{}", static_cast<int>(op), nth);
      if (!killed_at(op, nth, [&] { start(run); })) break;
      ++kills;
      if (!std::filesystem::exists(run / "journal")) {
        start(run);  // died before there was a run
      } else {
        for (int again = 1; again <= 2; ++again) kills += killed_at(op, 2 * again, [&] { go_on(run); });
        go_on(run);
      }
      expect_same(folder / "straight", run);
      std::filesystem::remove_all(run);
    }
  }
  EXPECT_GT(kills, 60);
}

TEST(RunStore, StopsWithTheReasonWhenACallFailsAndResumes) {
  const Folder folder;
  start(folder / "straight");
  for (const Op op : files::all_ops) {
    for (int nth = 4; nth < 80; nth += 9) {
      const Path run = folder / fmt::format("{}-{}", static_cast<int>(op), nth);
      files::set_fault(Fault{op, nth, Fault::Kind::always});
      const std::string error = error_of([&] { start(run); });
      files::set_fault(std::nullopt);
      EXPECT_EQ(test::temporaries_in(run), 0);
      if (error.empty()) break;
      if (std::filesystem::exists(run / "journal")) {
        go_on(run);
      } else {
        start(run);
      }
      expect_same(folder / "straight", run);
    }
  }
}

}  // namespace
}  // namespace plumb::store
