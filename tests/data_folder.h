// Where real data lies for the tests under tests/*/data, which skip where there is none.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace plumb::test {

// $PLUMB_DATA, or ../shared/data beside the repository; empty where neither is there.
inline std::string data_folder() {
  const char* given = std::getenv("PLUMB_DATA");
  const std::filesystem::path folder = given ? given : PLUMB_SOURCE_DIR "/../shared/data";
  return std::filesystem::is_directory(folder) ? folder.string() : "";
}

}  // namespace plumb::test

// The first line of a test that wants it.
#define PLUMB_DATA_OR_SKIP(data) \
  const std::string data = ::plumb::test::data_folder(); \
  if (data.empty()) GTEST_SKIP() << "no data folder: set PLUMB_DATA"
