// What tests of files share: a folder that goes away, a listing of temporaries, faults that end with the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/errors.h"
#include "core/files/system.h"

namespace plumb::test {

class Folder {
 public:
  Folder() {
    // In memory where there is such a folder: these tests flush thousands of times, and a busy disk takes its time.
    const bool in_memory = access("/dev/shm", W_OK) == 0;
    const auto where = in_memory ? files::Path("/dev/shm") : std::filesystem::temp_directory_path();
    std::string name = (where / "plumb-test-XXXXXX").string();
    if (!mkdtemp(name.data())) throw Bug("no folder for a test");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  files::Path operator/(const std::string& name) const { return path_ / name; }
  const files::Path& path() const { return path_; }

 private:
  files::Path path_;
};

inline int temporaries_in(const files::Path& folder) {
  int n = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    n += entry.path().filename().string().ends_with(".plumb-tmp");
  }
  return n;
}

struct WithFault {
  explicit WithFault(files::Fault fault) { files::set_fault(fault); }
  ~WithFault() { files::set_fault(std::nullopt); }
};

// The text of the UserError that f throws; empty when it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const UserError& error) {
    return error.what();
  }
  return {};
}

}  // namespace plumb::test
