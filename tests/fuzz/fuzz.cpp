// What every fuzzer has: the entry points of libFuzzer, and `fuzz_NAME --seeds FOLDER`, which writes the seeds.
#include "tests/fuzz/fuzz.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace plumb::fuzz {
namespace {

void write_seeds(const files::Path& folder) {
  files::make_folders(folder);
  int number = 0;
  for (const auto& seed : seeds()) std::ofstream(folder / fmt::format("seed-{}", number++), std::ios::binary) << seed;
}

struct OwnFolder {
  files::Path path = fmt::format("/dev/shm/plumb-fuzz-{}", getpid());
  OwnFolder() { files::make_folders(path); }
  ~OwnFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

const files::Path& folder() {
  static const OwnFolder own;
  return own.path;
}

MemoryFile::MemoryFile(std::string_view bytes) : fd_(memfd_create("input", MFD_CLOEXEC)) {
  files::write_at(fd_, "input", files::as_bytes(bytes), 0);
}

std::string MemoryFile::path() const { return fmt::format("/proc/self/fd/{}", fd_.get()); }

}  // namespace plumb::fuzz

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 3 && std::string_view((*argv)[1]) == "--seeds") {
    plumb::fuzz::write_seeds((*argv)[2]);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  plumb::fuzz::accepted([&] { plumb::fuzz::fuzz({reinterpret_cast<const char*>(data), size}); });
  return 0;
}

// One input in eight keeps its wrong checksums.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (!plumb::fuzz::mend || seed % 8 == 0) return size;
  std::string input(reinterpret_cast<const char*>(data), size);
  plumb::fuzz::mend(input);
  size = std::min(input.size(), max_size);
  std::memcpy(data, input.data(), size);
  return size;
}
