// Sweeps as processes: complete, killed, added to, interrupted, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <random>

#include "core/files/hdf5_file.h"
#include "lab/sweep/sweep.h"
#include "tests/lab/run_support.h"

namespace plumb::lab::test {
namespace {

using testing::HasSubstr;

// 2 x 2 x `seeds` members of some tens of milliseconds.
std::string config(int seeds, const std::string& rates = "[1e-2, 1e30]") {
  std::string s =
      "[run]\nsteps = 6\neval_every = 3\neval_rows = 2\nsample_tokens = 2\n"
      "[data]\nlength = 8\n[model]\nwidth = 8\nheads = 2\nlayers = 1\ncontext = 7\n[train]\nbatch = 2\n"
      "[checkpoint]\nevery = 2\n[sweep]\nkind = [{ name = \"plain\" }, { name = \"normed\", \"model.qk_norm\" = "
      "\"layernorm\" }]\n\"schedule.lr\" = " +
      rates + "\n\"run.seed\" = [0";
  for (int i = 1; i < seeds; ++i) s += fmt::format(", {}", i);
  return s + "]\n";
}

SweepRequest request_in(const files::Path& folder, std::size_t jobs = 2) {
  return {.folder = folder.string(), .plumb = PLUMB_BINARY_DIR "/plumb", .jobs = jobs, .quiet = true};
}
SweepOutcome sweep(const std::string& toml, const SweepRequest& request) {
  return run_sweep(plan_sweep(parse_toml(toml, "s.toml")), request);
}

TEST(Sweep, RunsEveryMemberAndDivergedRunsAreData) {
  const Folder folder;
  const SweepOutcome out = sweep(config(2), request_in(folder / "s"));
  ASSERT_EQ(out.results.size(), 8u);
  for (const auto& r : out.results) EXPECT_EQ(r.state, MemberState::done) << r.status;
  EXPECT_EQ(out.results[0].status, "finished");
  EXPECT_EQ(out.results[2].status, "diverged");  // learning rate 1e30
  EXPECT_TRUE(std::isnan(out.results[2].val_loss));
  const std::string csv = files::read_text(folder / "s/table.csv");
  EXPECT_THAT(
      csv,
      HasSubstr("member,kind,schedule.lr,run.seed,status,steps,initial_loss,loss,val_loss,max_attn_logit_block0\n"));
  EXPECT_EQ(std::ranges::count(csv, '\n'), 9);
  const files::Hdf5Reader h5(folder / "s/table.h5");
  EXPECT_EQ(h5.texts("table/member")[1], "plain-lr0.01-seed1");
  EXPECT_EQ(h5.texts("axes/schedule.lr")[2], "1e+30");
  EXPECT_EQ(h5.tensor("table/val_loss").to_vector<double>()[0], out.results[0].val_loss);
  EXPECT_THAT(files::read_text(folder / "s/report.html"), HasSubstr("sensitivity"));
}

TEST(Sweep, AMemberIsTheSameRunAsAlone) {
  const Folder folder;
  sweep(config(1, "[1e-2]"), request_in(folder / "s"));
  RunConfig alone = plan_sweep(parse_toml(config(1, "[1e-2]"), "s.toml")).members[0].config;
  start_run(alone, {.folder = (folder / "alone").string(), .quiet = true});
  expect_equal_runs(folder / "s/runs/plain-lr0.01-seed0", folder / "alone");
}

TEST(Sweep, IsTheSameHoweverItIsPackedAndPointsCanBeAdded) {
  const Folder folder;
  sweep(config(2), request_in(folder / "one", 1));
  sweep(config(1), request_in(folder / "grown", 3));
  const SweepOutcome grown = sweep(config(2), request_in(folder / "grown", 3));
  EXPECT_EQ(grown.results.size(), 8u);
  EXPECT_EQ(files::read_text(folder / "one/table.csv"), files::read_text(folder / "grown/table.csv"));
  EXPECT_EQ(files::read_text(folder / "one/table.h5"), files::read_text(folder / "grown/table.h5"));
}

TEST(Sweep, LosesNothingWhenItIsKilledAgainAndAgain) {
  const Folder folder;
  files::write_atomically(folder / "s.toml", config(6));
  sweep(config(6), request_in(folder / "whole"));
  std::mt19937 random(29);
  int killed = 0;
  for (int attempt = 0; attempt < 40; ++attempt) {
    Child child({"sweep", (folder / "s.toml").string(), "--out", (folder / "s").string(), "--quiet", "--threads", "1"},
                folder / "said");
    usleep(20'000 + random() % 150'000);
    child.send(SIGKILL);
    const int code = child.wait();
    if (code == 0) break;
    ASSERT_EQ(code, -SIGKILL) << files::read_text(folder / "said");
    ++killed;
  }
  const SweepOutcome out = sweep(config(6), request_in(folder / "s"));
  for (const auto& r : out.results) EXPECT_EQ(r.state, MemberState::done) << r.status;
  EXPECT_GE(killed, 2);
  EXPECT_EQ(files::read_text(folder / "s/table.csv"), files::read_text(folder / "whole/table.csv"));
}

TEST(Sweep, IsInterruptedInOrderAndGoesOn) {
  const Folder folder;
  files::write_atomically(folder / "s.toml", config(8));
  Child child({"sweep", (folder / "s.toml").string(), "--out", (folder / "s").string(), "--quiet", "--threads", "1"},
              folder / "said");
  usleep(100'000);
  child.send(SIGINT);
  EXPECT_EQ(child.wait(), 130) << files::read_text(folder / "said");
  EXPECT_THAT(files::read_text(folder / "said"), HasSubstr("the same command goes on"));
  const SweepOutcome out = sweep(config(8), request_in(folder / "s"));
  for (const auto& r : out.results) EXPECT_EQ(r.state, MemberState::done) << r.status;
}

TEST(Sweep, RefusesASecondOneInTheFolderAndOtherConfigurations) {
  const Folder folder;
  sweep(config(1), request_in(folder / "s"));
  EXPECT_THAT(error_of([&] {
                sweep("[train]\nbatch = 3\n" + config(1).substr(config(1).find("[sweep]")), request_in(folder / "s"));
              }),
              HasSubstr("another configuration"));
  const files::Fd lock = files::open_file(folder / "s/sweep.lock", O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  EXPECT_THAT(error_of([&] { sweep(config(1), request_in(folder / "s")); }), HasSubstr("another sweep"));
}

TEST(Sweep, AMemberThatFailsIsNamedAndTheOthersGoOn) {
  const Folder folder;
  files::make_folders(folder / "s/runs");
  files::write_atomically(folder / "s/runs/plain-lr0.01-seed0", "a file where a folder is wanted");
  const SweepOutcome out = sweep(config(1, "[1e-2]"), request_in(folder / "s"));
  EXPECT_EQ(out.results[0].state, MemberState::failed);
  EXPECT_THAT(out.results[0].status, testing::AllOf(HasSubstr("plain-lr0.01-seed0"), testing::Not(HasSubstr("hint"))));
  EXPECT_EQ(out.results[1].state, MemberState::done);
}

TEST(Sweep, TheCommandLineRefusesMoreThreadsThanCores) {
  const Folder folder;
  files::write_atomically(folder / "s.toml", config(1));
  const Ran r = plumb({"sweep", (folder / "s.toml").string(), "--jobs", "4000", "--threads", "2", "--dry-run"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("do not fit"));
  const Ran dry = plumb({"sweep", (folder / "s.toml").string(), "--dry-run"});
  EXPECT_EQ(dry.code, 0);
  EXPECT_THAT(dry.out, HasSubstr("normed-lr0.01-seed0\n"));
}

}  // namespace
}  // namespace plumb::lab::test
