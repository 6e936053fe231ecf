// Parallel loops: every index once, on any number of threads, and errors as if the loop had been serial.
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/errors.h"
#include "core/parallel.h"

namespace plumb {
namespace {

class Parallel : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_num_threads(GetParam()); }
  void TearDown() override { set_num_threads(before_); }
  int before_ = num_threads();
};
INSTANTIATE_TEST_SUITE_P(Threads, Parallel, testing::Values(1, 2, 3, 8));

TEST_P(Parallel, CoversEveryIndexOnce) {
  for (const std::int64_t n : {0, 1, 2, 7, 64, 1000, 4097})
    for (const std::int64_t grain : {0, 1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
      parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
        EXPECT_LT(begin, end);
        if (grain > 0) {
          EXPECT_EQ(begin % grain, 0);
          EXPECT_TRUE(end == n || end % grain == 0);
        }
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (std::size_t i = 0; i < visits.size(); ++i)
        ASSERT_EQ(visits[i], 1) << "index " << i << " of " << n << " by " << grain;
    }
}

TEST_P(Parallel, RethrowsTheErrorOfTheLowestIndex) {
  for (int trial = 0; trial < 20; ++trial) try {
      parallel_for(1000, 1, [](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
          if (i % 100 == 37) throw std::runtime_error(std::to_string(i));
      });
      FAIL() << "swallowed the error";
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "37");
    }
}

TEST_P(Parallel, RunsANestedLoopInline) {
  std::atomic<int> total{0};
  parallel_for(8, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      parallel_for(10, 1, [&](std::int64_t b, std::int64_t e) { total += static_cast<int>(e - b); });
  });
  EXPECT_EQ(total, 80);
}

TEST(Threads, MustBeAtLeastOne) {
  try {
    set_num_threads(0);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "the number of threads must be at least 1, not 0");
  }
}

TEST(Grain, IsWorthAThread) {
  EXPECT_EQ(grain_for(1), 32768);
  EXPECT_EQ(grain_for(0), 32768);
  EXPECT_EQ(grain_for(1000), 32);
  EXPECT_EQ(grain_for(1'000'000), 1);
}

}  // namespace
}  // namespace plumb
