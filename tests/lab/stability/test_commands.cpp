// plumb mup and plumb coord-check: what they print, and what a wrong word is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/lab/run_support.h"

namespace plumb::lab::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

struct Given {
  Folder folder;
  std::string config = (folder / "run.toml").string();
  Given() {
    RunConfig c = tiny_config();
    c.model.width = 16;
    c.schedule.lr = 0.02;
    c.stability.base_width = 8;
    files::write_atomically(config, resolved_toml(c));
  }
  Ran operator()(std::vector<std::string> words) const {
    words.insert(words.begin() + 1, config);
    return plumb(words);
  }
};

TEST(MupCommand, PrintsEveryParameterOfTheWidthThatIsAskedFor) {
  const Given given;
  const Ran ran = given({"mup", "--json", "--set", "stability.parametrization=mup_table8", "--width", "32"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json j = json::parse(ran.out);
  EXPECT_EQ(j["width"], 32);
  EXPECT_EQ(j["base_width"], 8);
  EXPECT_EQ(j["attention_scale"], 2.0 / 16);  // two heads: of 4 in the base model, of 16 here
  ASSERT_EQ(j["parameters"].size(), 11u);
  const json &up = j["parameters"][7], &head = j["parameters"][10];
  EXPECT_EQ(up["name"], "blocks.0.mlp.up.weight");
  EXPECT_EQ(up["role"], "hidden");
  EXPECT_EQ(up["shape"], json({128, 32}));
  EXPECT_EQ(up["lr_multiplier"], 0.25);
  EXPECT_EQ(up["lr"], 0.005);
  EXPECT_EQ(up["coupled_decay_multiplier"], 4);
  EXPECT_EQ(head["forward_multiplier"], 0.25);
  EXPECT_DOUBLE_EQ(head["init_std"], 1 / std::sqrt(8.0));
  const Ran table = given({"mup", "--set", "stability.parametrization=mup_full"});
  EXPECT_THAT(table.out, AllOf(HasSubstr("multiplied by 0.125"), HasSubstr("blocks.0.attn.q.weight"),
                               HasSubstr("std 0.1768")));  // sqrt(8)/16 of the head
}

TEST(MupCommand, RefusesWhatDoesNotFit) {
  const Given given;
  EXPECT_THAT(given({"mup", "--base-width", "0"}).err, HasSubstr("stability.base_width must be at least 1"));
  EXPECT_THAT(given({"mup", "--width", "15"}).err, HasSubstr("model.heads must divide width = 15"));
  EXPECT_THAT(given({"mup", "--set", "stability.parametrization=mup"}).err,
              HasSubstr("sp, mup_simple, mup_intermediate, mup_full, mup_table3, mup_table8, mup_table9, u_mup"));
}

TEST(CoordCheckCommand, FindsGrowthInTheStandardRuleAndNoneInUnitScaling) {
  const Given given;
  const auto checked = [&](const std::string& rule) {
    return given({"coord-check", "--json", "--widths", "16,64,256", "--seeds", "2", "--set",
                  "stability.parametrization=" + rule});
  };
  const Ran sp = checked("sp"), unit = checked("u_mup");
  EXPECT_EQ(sp.code, 1);
  EXPECT_EQ(unit.code, 0) << unit.out;
  const json grown = json::parse(sp.out);
  EXPECT_EQ(grown["widths"], json({16, 64, 256}));
  ASSERT_EQ(grown["parts"].size(), 4u);  // embedding, attention, network, head
  EXPECT_EQ(grown["parts"][2]["part"], "blocks.0.mlp");
  EXPECT_EQ(grown["parts"][2]["verdict"], "grows");
  EXPECT_GT(grown["parts"][2]["steps"][3]["slope"], 0.5);
  EXPECT_EQ(grown["parts"][2]["steps"][3]["sizes"].size(), 3u);
  const json flat = json::parse(unit.out);
  EXPECT_EQ(flat["parts"][2]["verdict"], "flat");
  EXPECT_EQ(flat["parts"][3]["part"], "head");
  EXPECT_EQ(flat["parts"][3]["verdict"], "catches up");
}

TEST(CoordCheckCommand, KeepsTheSizeOfHeadsWhenAsked) {
  const Given given;
  const Ran ran = given({"coord-check", "--widths", "8,16", "--seeds", "1", "--steps", "1", "--head-size", "4", "--set",
                         "stability.parametrization=mup_full"});
  EXPECT_THAT(ran.out, HasSubstr("blocks.0.attn")) << ran.err;
  EXPECT_THAT(given({"coord-check", "--widths", "8,18", "--head-size", "4"}).err,
              HasSubstr("heads of 4 do not share out a width of 18"));
}

TEST(CoordCheckCommand, RefusesWhatDoesNotFit) {
  const Given given;
  for (const char* widths : {"64", "64,64", "64,,128", "64,x", "", "0,64", "64,128,"})
    EXPECT_THAT(given({"coord-check", "--widths", widths}).err, HasSubstr("--widths")) << widths;
  EXPECT_THAT(given({"coord-check", "--widths", "64,64"}).err, HasSubstr("two different widths"));
  EXPECT_THAT(given({"coord-check", "--widths", "64,65"}).err, HasSubstr("model.heads must divide width = 65"));
  EXPECT_THAT(given({"coord-check", "--seeds", "0"}).err, HasSubstr("--seeds"));
  EXPECT_THAT(given({"coord-check", "--steps", "0"}).err, HasSubstr("--steps"));
}

}  // namespace
}  // namespace plumb::lab::test
