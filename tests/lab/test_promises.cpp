// The promises, in their short form: each is a command that tries to break it (`plumb check NAME --full` is the long one).
#include <gtest/gtest.h>

#include "core/cpu/isa.h"
#include "lab/check/check.h"

namespace plumb::lab {
namespace {

void expect_holds(const CheckResult& r) {
  EXPECT_TRUE(r.holds()) << r.name << ": " << r.passed << " of " << r.tried << " " << r.unit << "; " << r.failure;
}

const CheckOptions& options() {
  static const CheckOptions o{.full = std::getenv("PLUMB_NIGHTLY") != nullptr,
                              .plumb = std::string(PLUMB_BINARY_DIR) + "/plumb",
                              .scratch = {}};
  return o;
}

TEST(Promise, TheSameBitsForAnyNumberOfThreads) { expect_holds(check_threads(options())); }
TEST(Promise, AccumulationIsTheLargeBatchToTheBit) { expect_holds(check_accumulation(options())); }
TEST(Promise, ARowHasTheSameBitsAloneInABatchAndDecoded) { expect_holds(check_rows(options())); }
TEST(Promise, TheSameBytesInOtherSurroundings) { expect_holds(check_surroundings(options())); }
TEST(Promise, TheSameBitsWithAvx2AndAvx512) {
  if (cpu::isa() == cpu::Isa::baseline) GTEST_SKIP() << "this CPU has neither";
  expect_holds(check_instruction_sets(options()));
}
TEST(Promise, AKilledAndResumedRunEndsWithTheSameBits) { expect_holds(check_kill(options())); }

}  // namespace
}  // namespace plumb::lab
