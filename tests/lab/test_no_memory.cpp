// Where memory runs out: freeing never needs it, a failed attempt gives everything back, and the command line says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "core/files/hdf5_file.h"
#include "core/memory_faults.h"
#include "core/storage.h"
#include "tests/lab/run_support.h"

namespace plumb {
namespace {

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
  const test::Folder folder;
  files::write_hdf5(folder / "f.h5", {.tensors = {{"x", Tensor::of<float>({1})}}, .texts = {}, .attributes = {}});
  auto reader = std::make_unique<files::Hdf5Reader>(folder / "f.h5");
  without_memory([&] { reader.reset(); });
}

TEST_F(NoMemory, EndsACommandWithASentenceAndCodeOne) {
  const test::Folder folder;
  std::ofstream(folder / "run.toml") << resolved_toml(lab::test::tiny_config(2));
  int ended = 0;
  for (int nth = 1; nth < 20000; nth = nth * 5 / 4 + 1) {
    for (const char* for_good : {"", ":always"}) {
      setenv("PLUMB_MEMORY_FAULT", fmt::format("{}{}", nth, for_good).c_str(), 1);
      const auto run = folder / fmt::format("run{}{}", nth, *for_good ? "a" : "");
      lab::test::Child child(
          {"train", (folder / "run.toml").string(), "--quiet", "--threads", "1", "--out", run.string()},
          folder / "output");
      unsetenv("PLUMB_MEMORY_FAULT");
      const int code = child.wait();
      ASSERT_TRUE(code == 0 || code == 1) << code << " at allocation " << nth << for_good;
      if (code == 0) continue;
      ++ended;
      EXPECT_THAT(files::read_text(folder / "output"), testing::HasSubstr("error: "));
    }
  }
  EXPECT_GT(ended, 20);
}

}  // namespace
}  // namespace plumb
