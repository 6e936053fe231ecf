// From the lists of [sweep] to members, and what is refused before the first run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.h"
#include "lab/config/toml.h"
#include "lab/sweep/plan.h"
#include "tests/files_support.h"

namespace plumb::lab {
namespace {

using plumb::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

SweepPlan plan(const std::string& toml) { return plan_sweep(parse_toml(toml, "s.toml")); }

std::vector<std::string> names(const SweepPlan& p) {
  std::vector<std::string> out;
  for (const auto& m : p.members) out.push_back(m.name);
  return out;
}

TEST(SweepPlan, IsTheProductOfItsListsTheLastOneFirst) {
  const SweepPlan p = plan(R"([model]
width = 16
[sweep]
"schedule.lr" = [1e-3, 0.01]
run.seed = [3, 4]
)");
  EXPECT_THAT(names(p), ElementsAre("lr0.001-seed3", "lr0.001-seed4", "lr0.01-seed3", "lr0.01-seed4"));
  EXPECT_EQ(p.members[1].config.schedule.lr, 1e-3);
  EXPECT_EQ(p.members[1].config.run.seed, 4);
  EXPECT_EQ(p.members[1].config.model.width, 16);
  EXPECT_EQ(p.members[3].at, (std::vector<std::size_t>{1, 1}));
  EXPECT_EQ(p.axis_of("run.seed"), 1);
  EXPECT_EQ(p.axis_of("model.width"), -1);
}

TEST(SweepPlan, APointSetsSeveralKeysAndMembersRecordDivergence) {
  const SweepPlan p = plan(R"([run]
on_divergence = "stop"
[sweep]
size = [{ name = "small", "model.width" = 16, model.heads = 2 }, { name = "as it is" }]
)");
  EXPECT_THAT(names(p), ElementsAre("small", "as_it_is"));
  EXPECT_EQ(p.members[0].config.model.width, 16);
  EXPECT_EQ(p.members[0].config.model.heads, 2);
  EXPECT_EQ(p.members[0].config.run.on_divergence, OnDivergence::record);
}

TEST(SweepPlan, BadInputIsRefusedWithItsPlaceAndAWayOut) {
  const auto refusal = [](const std::string& axes) { return error_of([&] { plan("[sweep]\n" + axes); }); };
  EXPECT_THAT(refusal("\"schedule.lrr\" = [1]"), testing::AllOf(HasSubstr("s.toml:2:"), HasSubstr("schedule.lr\"?")));
  EXPECT_THAT(refusal("\"schedule.lr\" = []"), HasSubstr("empty"));
  EXPECT_THAT(refusal("\"schedule.lr\" = 3"), HasSubstr("list"));
  EXPECT_THAT(refusal("\"schedule.lr\" = [1e-3, 0.001]"), HasSubstr("twice"));
  EXPECT_THAT(refusal("\"schedule.lr\" = [{ name = \"a\" }]"), HasSubstr("a table"));
  EXPECT_THAT(refusal("size = [{ \"model.width\" = 4 }]"), HasSubstr("no name"));
  EXPECT_THAT(refusal("size = [{ name = 3 }]"), HasSubstr("must be a text"));
  EXPECT_THAT(refusal("size = [{ name = \"a\", \"model.widht\" = 4 }]"), HasSubstr("model.width\"?"));
  EXPECT_THAT(refusal("size = [{ name = \"a\", \"run.seed\" = 4 }]\n\"run.seed\" = [1]"),
              HasSubstr("both set run.seed"));
  EXPECT_THAT(refusal("\"model.heads\" = [3]"), testing::AllOf(HasSubstr("member heads3"), HasSubstr("divide")));
  EXPECT_THAT(refusal("a = [{ name = \"x-y\" }, { name = \"x\" }]\nb = [{ name = \"z\" }, { name = \"y-z\" }]"),
              HasSubstr("two members are called x-y-z"));
  EXPECT_THAT(error_of([] { plan("[run]\nsteps = 3\n"); }), HasSubstr("[sweep]"));
  EXPECT_THAT(error_of([] { plan("[sweep]\n"); }), HasSubstr("[sweep]"));
}

TEST(SweepPlan, TooManyMembersAreRefusedBeforeTheyAreMade) {
  std::string seeds = "\"run.seed\" = [0", lengths = "\"run.steps\" = [1";
  for (int i = 1; i < 400; ++i) seeds += fmt::format(", {}", i), lengths += fmt::format(", {}", i + 1);
  EXPECT_THAT(error_of([&] { plan("[sweep]\n" + seeds + "]\n" + lengths + "]\n"); }), HasSubstr("100000"));
}

}  // namespace
}  // namespace plumb::lab
