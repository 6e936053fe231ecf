// The promises, in their short form: each is a command that tries to break it (`plumb check NAME --full` is the long one).
#include <gtest/gtest.h>

#include "lab/check/check.h"
#include "tests/files_support.h"

namespace plumb::lab {
namespace {

CheckOptions options() {
  CheckOptions o;
  o.plumb = PLUMB_BINARY_DIR "/plumb";
  return o;
}

class Promise : public testing::TestWithParam<Check> {};

TEST_P(Promise, Holds) {
  const CheckResult r = GetParam().run(options());
  if (!r.skipped.empty()) GTEST_SKIP() << r.skipped;
  EXPECT_TRUE(r.holds) << r.value << " " << r.unit << "; " << r.failure;
}
std::vector<Check> quick_checks() {
  std::vector<Check> all = checks();
  std::erase_if(all, [](const Check& c) { return c.own_build; });
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, Promise, testing::ValuesIn(quick_checks()), [](const auto& i) { return i.param.name; });

TEST(Checks, CountCasesAndKeepTheFirstThatFailed) {
  const std::string unit = "things";
  Cases cases(options(), unit);
  cases.note(0, true, "fine");
  cases.note(1, false, "first");
  cases.note(2, false, "second");
  const CheckResult r = cases.result();
  EXPECT_EQ(r.value, "1/3");
  EXPECT_FALSE(r.holds);
  EXPECT_EQ(r.failure, "first");
  EXPECT_EQ(r.failed, 1);
}

TEST(Checks, HoldOnlyWhereSomethingWasTried) { EXPECT_FALSE(Cases(options(), "things").result().holds); }

TEST(Checks, NumberCasesAsTheyComeAndRunOneOfThemAlone) {
  CheckOptions second = options();
  second.only = 1;
  Cases cases(second, "things");
  int ran = 0;
  for (int i = 0; i < 3; ++i)
    if (cases.next()) ++ran, cases.note(false, "case " + std::to_string(i));
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(cases.result().failed, 1);
  EXPECT_EQ(cases.result().failure, "case 1");
}

TEST(Checks, SayAmongAllThatABuildIsSkipped) {
  for (const Check& c : checks())
    if (c.own_build) {
      EXPECT_EQ(run_among_all(c, options()).skipped, "needs --full and a source tree") << c.name;
    }
}

TEST(Checks, ReplayAFailedCaseAlone) {
  const test::Folder folder;
  CheckCase failed;
  failed.name = "rows";
  failed.options.only = 17;
  write_case(folder / "case.toml", failed);
  const CheckCase read = read_case(folder / "case.toml");
  EXPECT_EQ(read.name, failed.name);
  EXPECT_EQ(read.options.seed, 11u);
  EXPECT_EQ(read.options.only, 17);
  EXPECT_EQ(check_of(read.name).run(read.options).value, "1/1");
}

}  // namespace
}  // namespace plumb::lab
