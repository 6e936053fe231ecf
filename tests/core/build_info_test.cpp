// Where the library says it comes from.
#include "core/build_info.h"

#include <gtest/gtest.h>

#include <fstream>

namespace plumb {
namespace {

TEST(BuildInfo, NamesCompilerFlagsAndLibraries) {
  const BuildInfo& info = build_info();
  EXPECT_FALSE(info.version.empty());
  EXPECT_TRUE(info.commit == "unknown" || info.commit.size() == 40) << info.commit;
  EXPECT_NE(info.flags.find("-ffp-contract=off"), std::string::npos) << info.flags;
  EXPECT_EQ(info.flags.find("fast-math"), std::string::npos);
  ASSERT_FALSE(info.libraries.empty());
  for (const auto& [name, version] : info.libraries) EXPECT_FALSE(version.empty()) << name;
}

}  // namespace
}  // namespace plumb
