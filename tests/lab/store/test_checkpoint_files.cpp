// Checkpoints on disk: round trips, damage, failing calls, retention.
#include <fstream>

#include "core/files/atomic_file.h"
#include "lab/store/checkpoint.h"
#include "tests/files_support.h"

namespace plumb::store {
namespace {

using files::Fault;
using files::Op;
using test::error_of;
using test::Folder;

Checkpoint sample(std::int64_t step) {
  Checkpoint c;
  c.step = step;
  c.seed = 3;
  c.config = "[run]\nsteps = 10\n";
  c.isa = "avx2";
  c.tensors = {{"params/w", Tensor::of<float>({1, 2, static_cast<float>(step)})},
               {"optim/w.m", Tensor::of<Bf16>({Bf16(0.5f), Bf16(2.0f)})},
               {"state/delta", Tensor::of<double>({0.25}).reshape({})}};
  return c;
}

void flip_a_bit(const Path& path, std::size_t byte) {
  std::string bytes = files::read_text(path);
  bytes[byte] ^= 4;
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(CheckpointFile, ReadsBackWhatItWrote) {
  const Folder folder;
  const Checkpoint c = sample(7);
  save_checkpoint(folder / "c.h5", c);
  const Checkpoint read = load_checkpoint(folder / "c.h5");
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.seed, 3);
  EXPECT_EQ(read.config, c.config);
  EXPECT_EQ(read.isa, "avx2");
  EXPECT_EQ(files::digest(read.tensors), files::digest(c.tensors));
  EXPECT_EQ(load_checkpoint(folder / "c.h5", "params").tensors.size(), 1u);
  ASSERT_NE(read.find("state/delta"), nullptr);
  EXPECT_EQ(read.find("state/none"), nullptr);
}

TEST(CheckpointFile, HasTheSameBytesWhateverTheOrderAndThePlace) {
  const Folder folder;
  Checkpoint c = sample(7);
  save_checkpoint(folder / "a.h5", c);
  std::reverse(c.tensors.begin(), c.tensors.end());
  save_checkpoint(folder / "another name.h5", c);
  EXPECT_EQ(files::read_text(folder / "a.h5"), files::read_text(folder / "another name.h5"));
}

TEST(CheckpointFile, RefusesNamesItCouldNotReadBack) {
  const Folder folder;
  Checkpoint c = sample(1);
  c.tensors.push_back({"weights/w", Tensor::of<float>({1})});
  EXPECT_NE(error_of([&] { save_checkpoint(folder / "c.h5", c); }).find("not under params/"), std::string::npos);
  c = sample(1);
  c.tensors.push_back(c.tensors[0]);
  EXPECT_NE(error_of([&] { save_checkpoint(folder / "c.h5", c); }).find("two tensors"), std::string::npos);
}

TEST(CheckpointFolder, OffersTheNewestWholeOneAndNamesTheDamaged) {
  const Folder folder;
  const CheckpointFolder checkpoints(folder / "ckpt");
  EXPECT_FALSE(checkpoints.newest().checkpoint.has_value());
  for (const int step : {10, 20, 1000000}) checkpoints.save(sample(step));
  EXPECT_EQ(checkpoints.steps(), (std::vector<std::int64_t>{10, 20, 1000000}));
  EXPECT_EQ(checkpoints.newest([](std::int64_t step) { return step < 999; }).checkpoint->step, 20);
  flip_a_bit(checkpoints.path_of(1000000), 3000);
  const auto found = checkpoints.newest();
  EXPECT_EQ(found.checkpoint->step, 20);
  ASSERT_EQ(found.damaged.size(), 1u);
  EXPECT_NE(found.damaged[0].find("1000000.h5: the checkpoint is damaged"), std::string::npos) << found.damaged[0];
  EXPECT_NE(damage_of_checkpoint(checkpoints.path_of(1000000)), "");
  EXPECT_EQ(damage_of_checkpoint(checkpoints.path_of(20)), "");
}

TEST(CheckpointFolder, DoesNotTakeARefusalOfTheSystemForDamage) {
  const Folder folder;
  const CheckpointFolder checkpoints(folder.path());
  for (const int step : {10, 20}) checkpoints.save(sample(step));
  const test::WithFault fault({Op::open, 1, Fault::Kind::once});
  EXPECT_NE(error_of([&] { checkpoints.newest(); }).find("Too many open files"), std::string::npos);
  EXPECT_EQ(checkpoints.newest().checkpoint->step, 20);
}

TEST(CheckpointFolder, KeepsTheLastOnesAndTheMilestones) {
  const Folder folder;
  const CheckpointFolder checkpoints(folder.path());
  for (int step = 10; step <= 70; step += 10) checkpoints.save(sample(step), {.keep_last = 2, .keep_every = 30});
  EXPECT_EQ(checkpoints.steps(), (std::vector<std::int64_t>{30, 60, 70}));
}

TEST(CheckpointFolder, NeverRemovesTheLastWholeOne) {
  const Folder folder;
  const CheckpointFolder checkpoints(folder.path());
  checkpoints.save(sample(10));
  checkpoints.save(sample(30));
  flip_a_bit(checkpoints.path_of(30), 2000);
  checkpoints.save(sample(20), {.keep_last = 1});  // 30 counts as the last, and is damaged
  EXPECT_EQ(checkpoints.steps(), (std::vector<std::int64_t>{10, 20, 30}));
  EXPECT_EQ(checkpoints.newest().checkpoint->step, 20);
}

TEST(CheckpointFolder, SurvivesEveryFailingCallOfASave) {
  const Folder folder;
  const CheckpointFolder checkpoints(folder.path());
  checkpoints.save(sample(10));
  for (const Op op : files::all_ops) {
    for (const auto kind : {Fault::Kind::once, Fault::Kind::always}) {
      for (int nth = 1;; ++nth) {
        files::set_fault(Fault{op, nth, kind});
        const std::string error = error_of([&] { checkpoints.save(sample(20)); });
        files::set_fault(std::nullopt);
        EXPECT_EQ(test::temporaries_in(folder.path()), 0);
        ASSERT_TRUE(checkpoints.newest().checkpoint.has_value());
        EXPECT_EQ(checkpoints.newest().damaged.size(), 0u);
        if (error.empty()) break;  // nth is past the last call of this kind
        std::filesystem::remove(checkpoints.path_of(20));
      }
    }
  }
}

}  // namespace
}  // namespace plumb::store
