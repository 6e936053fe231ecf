// Signals, a full disk, no memory, damaged checkpoints: what a run loses (nothing), and what is said.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <fstream>

#include "autograd/ops.h"
#include "core/files/hdf5_file.h"
#include "core/memory_faults.h"
#include "core/storage.h"
#include "lab/run/origin.h"
#include "tests/lab/run_support.h"

namespace plumb::lab {
namespace {

using namespace test;
using testing::HasSubstr;

// Waits, at most a minute, for what a child does.
template <class F>
bool comes_true(F&& condition) {
  for (int i = 0; i < 60000; ++i) {
    if (condition()) return true;
    usleep(1000);
  }
  return false;
}

TEST(Signal, EndsARunCleanlyAndItResumesToTheSameBits) {
  const Folder folder;
  RunConfig c = tiny_config(2000);
  c.run.eval_every = 500;
  c.run.log_every = 100;
  c.checkpoint.every = 100;
  std::ofstream(folder / "run.toml") << resolved_toml(c);
  start(c, folder / "calm");
  for (const int signal : {SIGTERM, SIGINT}) {
    SCOPED_TRACE(signal);
    const auto run = folder / std::to_string(signal), output = folder / "output";
    Child child({"train", (folder / "run.toml").string(), "--quiet", "--threads", "1", "--out", run.string()}, output);
    ASSERT_TRUE(comes_true([&] { return std::filesystem::exists(run / "ckpt/000100.h5"); }));
    child.send(signal);
    EXPECT_EQ(child.wait(), 130);
    EXPECT_THAT(files::read_text(output), HasSubstr("interrupted"));
    EXPECT_THAT(files::read_text(output), HasSubstr("plumb resume " + run.string()));
    const auto steps = store::CheckpointFolder(run / "ckpt").steps();
    ASSERT_FALSE(steps.empty());
    EXPECT_LT(steps.back(), 2000);
    EXPECT_EQ(plumb::test::temporaries_in(run), 0);
    EXPECT_EQ(summarise(store::read_run(run)).status, "unfinished");
    EXPECT_EQ(resume(run).ending, Ending::finished);
    expect_equal_runs(folder / "calm", run);
  }
}

// A disk of one megabyte; not mounted where that takes rights that we have not.
class SmallDisk {
 public:
  explicit SmallDisk(files::Path at) : at_(std::move(at)) {
    std::filesystem::create_directories(at_);
    mounted_ = mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(at_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  bool grow() const { return mount("tmpfs", at_.c_str(), "tmpfs", MS_REMOUNT, "size=64m") == 0; }

 private:
  files::Path at_;
  bool mounted_ = false;
};

TEST(FullDisk, StopsARunWithTheReasonAndItResumesToTheSameBits) {
  const Folder folder;
  const SmallDisk disk(folder / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "no right to mount a small disk; FullDisk.AnyFailingWrite... stands in for it";
  RunConfig c = tiny_config(40);
  c.model.width = 24;
  c.checkpoint.keep_last = 100;  // so that they fill it
  start(c, folder / "calm");
  const auto run = folder / "disk/run";
  EXPECT_THAT(error_of([&] { start(c, run); }), HasSubstr("No space left on device"));
  const auto found = store::CheckpointFolder(run / "ckpt").newest();
  ASSERT_TRUE(found.checkpoint.has_value());
  EXPECT_TRUE(found.damaged.empty());
  EXPECT_EQ(plumb::test::temporaries_in(run), 0);
  ASSERT_TRUE(disk.grow());
  EXPECT_EQ(resume(run).ending, Ending::finished);
  expect_equal_runs(folder / "calm", run);
}

TEST(FullDisk, AnyFailingWriteStopsARunWithTheReasonAndItResumes) {
  const Folder folder;
  const RunConfig c = tiny_config();
  start(c, folder / "calm");
  int stopped = 0;
  for (int nth = 6; nth < 400; nth += 1 + nth / 5) {
    const auto run = folder / std::to_string(nth);
    files::set_fault(files::Fault{files::Op::write, nth, files::Fault::Kind::always});
    const std::string error = error_of([&] { start(c, run); });
    files::set_fault(std::nullopt);
    if (error.empty()) break;
    EXPECT_THAT(error, HasSubstr("No space left on device"));
    EXPECT_EQ(plumb::test::temporaries_in(run), 0);
    if (!std::filesystem::exists(run / "journal")) continue;
    ++stopped;
    resume(run);
    expect_equal_runs(folder / "calm", run);
    EXPECT_EQ(store::read_run(run).rows.metrics.at("loss").info.units, "nats/token") << nth;
  }
  EXPECT_GT(stopped, 5);
}

// Calls f with every allocation refused from here on.
template <class F>
void without_memory(F&& f) {
  memory::set_fault(memory::Fault{.nth = 1, .always = true});
  f();
  memory::set_fault({});
}

class NoMemory : public testing::Test {
 protected:
  void SetUp() override {
    if (!memory::sees_operator_new()) GTEST_SKIP() << "another operator new is in its place";
  }
};

TEST_F(NoMemory, FreesTensorsAndTheirGraph) {
  auto tensor = std::make_unique<Tensor>(Tensor::empty({12345}, DType::f32));
  auto chain = std::make_unique<Var>(Var::leaf(Tensor::of<float>({1})));
  for (int i = 0; i < 1000; ++i) *chain = *chain + *chain;
  without_memory([&] {
    tensor.reset();
    chain.reset();
  });
}

TEST_F(NoMemory, GivesBackATensorWhoseStorageCouldNotBeMade) {
  const std::size_t before = memory_stats().in_use;
  memory::set_fault(memory::Fault{.nth = 2});  // the first is the memory itself
  EXPECT_THROW(Tensor::empty({1000}, DType::f32), std::bad_alloc);
  memory::set_fault({});
  EXPECT_EQ(memory_stats().in_use, before);
}

TEST_F(NoMemory, ClosesAnHdf5File) {
  const Folder folder;
  files::write_hdf5(folder / "f.h5", {.tensors = {{"x", Tensor::of<float>({1})}}, .texts = {}, .attributes = {}});
  auto reader = std::make_unique<files::Hdf5Reader>(folder / "f.h5");
  without_memory([&] { reader.reset(); });
}

// Never taken for a mistake in the configuration, as a number that cannot be read.
TEST_F(NoMemory, IsSaidWhereverAConfigurationIsRead) {
  const Folder folder;
  files::write_atomically(folder / "c.toml", "[a]\nb = 0.5\nc = [1e-3, 2, \"x\"]\nd = {e = true}\n");
  const auto load = [path = (folder / "c.toml").string()] { return load_config(path, {"a.b=2.5", "a.f=word"}); };
  const Value good = load();
  std::int64_t refused = 0;
  for (const bool always : {false, true}) {
    bool met = true;
    for (std::int64_t nth = 1; met; ++nth) {
      const memory::Watch watch;
      memory::set_fault(memory::Fault{.nth = nth, .always = always});
      try {
        EXPECT_EQ(load(), good);  // a sort can do without its buffer
      } catch (const std::bad_alloc&) {
        ++refused;
      }
      memory::set_fault({});
      EXPECT_EQ(watch.live(), 0);
      met = watch.taken() >= nth;
    }
  }
  EXPECT_GT(refused, 100);
}

void write_bytes(const files::Path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Whatever the damage: it is named, the older one is offered, and the file stays for whoever wants to mend it.
void expect_noticed(const files::Path& folder, std::int64_t newest, std::int64_t older, const std::string& what) {
  const store::CheckpointFolder checkpoints(folder);
  const auto found = checkpoints.newest();
  ASSERT_TRUE(found.checkpoint.has_value()) << what;
  ASSERT_EQ(found.checkpoint->step, older) << what;
  ASSERT_EQ(found.damaged.size(), 1u) << what;
  ASSERT_THAT(found.damaged[0], HasSubstr(checkpoints.path_of(newest).string())) << what;
  ASSERT_NE(error_of([&] { read_origin(checkpoints.path_of(newest).string()); }), "") << what;
  ASSERT_TRUE(std::filesystem::exists(checkpoints.path_of(newest)));
  const Origin origin = read_origin(folder.parent_path().string());  // what sample, eval and --from take
  ASSERT_EQ(origin.step, older) << what;
  ASSERT_THAT(origin.warnings, testing::ElementsAre(HasSubstr("taking step"))) << what;
}

TEST(DamagedCheckpoint, IsNoticedWhereverABitFlipsOrTheFileEnds) {
  const Folder folder;
  start(tiny_config(), folder / "run");
  const auto ckpt = folder / "run/ckpt", newest = ckpt / "000012.h5";
  const std::string good = files::read_text(newest);
  ASSERT_EQ(store::CheckpointFolder(ckpt).newest().checkpoint->step, 12);
  constexpr std::size_t places = 150;
  for (std::size_t i = 0; i < places; ++i) {
    std::string bad = good;
    const std::size_t at = i < 40 ? i * 8 : i * (good.size() - 1) / (places - 1);  // the header closely, then all of it
    bad[at] = static_cast<char>(bad[at] ^ (1 << (i % 8)));
    write_bytes(newest, bad);
    expect_noticed(ckpt, 12, 9, fmt::format("bit {} of byte {}", i % 8, at));
    if (HasFatalFailure()) return;
  }
  for (std::size_t i = 0; i < 25; ++i) {
    write_bytes(newest, good.substr(0, i < 5 ? i : (i - 4) * (good.size() - 1) / 20));
    expect_noticed(ckpt, 12, 9, fmt::format("cut, case {}", i));
    if (HasFatalFailure()) return;
  }
  write_bytes(newest, good + "x");
  expect_noticed(ckpt, 12, 9, "a byte more");
}

TEST(DamagedCheckpoint, OfAnUnfinishedRunIsPassedOverAndSaidSo) {
  const Folder folder;
  const RunConfig c = tiny_config(14);
  start(c, folder / "calm");
  for (const int damaged : {1, 2, 3}) {  // of the three that are kept
    SCOPED_TRACE(damaged);
    const auto run = folder / std::to_string(damaged);
    files::set_fault(files::Fault{files::Op::rename, 6, files::Fault::Kind::always});
    const std::string error = error_of([&] { start(c, run); });
    files::set_fault(std::nullopt);
    ASSERT_NE(error, "");
    const auto steps = store::CheckpointFolder(run / "ckpt").steps();
    ASSERT_GE(steps.size(), 3u);
    for (int i = 0; i < damaged; ++i) {
      const auto path =
          store::CheckpointFolder(run / "ckpt").path_of(steps[steps.size() - 1 - static_cast<std::size_t>(i)]);
      std::string bytes = files::read_text(path);
      bytes[bytes.size() / 2] ^= 1;
      write_bytes(path, bytes);
    }
    const RunOutcome out = resume(run);
    ASSERT_EQ(out.warnings.size(), static_cast<std::size_t>(damaged));
    for (const auto& w : out.warnings) EXPECT_THAT(w, HasSubstr("damaged"));
    expect_equal_runs(folder / "calm", run);
  }
}

}  // namespace
}  // namespace plumb::lab
