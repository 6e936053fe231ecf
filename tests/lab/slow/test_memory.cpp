// A text of a gigabyte is mapped, not loaded: training on it needs no more memory than on a small one.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>

#include "lab/run/run_loop.h"
#include "tests/files_support.h"

namespace plumb::lab {
namespace {

std::int64_t status(const std::string& name) {  // bytes
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (std::int64_t kilobytes = 0; word == name + ":" && file >> kilobytes) return kilobytes << 10;
  throw Bug("no " + name);
}

// The most memory this process held meanwhile, pages of mapped files included.
std::int64_t peak_of_training_on(const files::Path& text, const files::Path& out) {
  RunConfig c;
  c.run.steps = 20;
  c.run.eval_rows = 4;
  c.run.sample_tokens = 2;
  c.data.kind = DataKind::text;
  c.data.text.path = {text.string()};
  c.model.width = 16;
  c.model.context = 32;
  c.train.batch = 4;
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak starts from what is held now
  start_run(c, {.folder = out.string(), .quiet = true});
  return status("VmHWM");
}

TEST(Memory, AGigabyteOfTextCostsNoneOfIt) {
  const auto where = std::filesystem::temp_directory_path() / fmt::format("plumb-memory-{}", getpid());
  std::filesystem::create_directories(where);  // not in /dev/shm: that would be memory
  const auto small = where / "small.txt", large = where / "large.txt";
  for (const auto& [path, size] : {std::pair{small, std::uint64_t{1} << 20}, {large, std::uint64_t{1} << 30}}) {
    std::ofstream(path) << "To be, or not to be";
    std::filesystem::resize_file(path, size);  // sparse: zeros that take no room on the disk
  }
  peak_of_training_on(small, where / "first");  // what is made once
  const auto little = peak_of_training_on(small, where / "a");
  // Memory of our own, as opposed to pages of files: a tenth of the text would be too much for this limit.
  rlimit before{};
  getrlimit(RLIMIT_DATA, &before);
  const rlimit limit{static_cast<rlim_t>(status("VmData") + (100 << 20)), before.rlim_max};
  setrlimit(RLIMIT_DATA, &limit);
  std::int64_t much = 0;
  const std::string error = test::error_of([&] { much = peak_of_training_on(large, where / "b"); });
  setrlimit(RLIMIT_DATA, &before);
  std::filesystem::remove_all(where);
  ASSERT_EQ(error, "");
  // The digest goes by 32 MiB; around each of the 84 windows that are read the kernel may show up to 2 MiB.
  EXPECT_LT(much - little, 256 << 20) << "of 1024 MiB of text";
}

}  // namespace
}  // namespace plumb::lab
