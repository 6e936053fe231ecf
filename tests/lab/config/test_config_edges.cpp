// Configurations at the edges of the grammar: what cannot be said, and what is said oddly but well.
#include <cmath>
#include <limits>

#include "core/files/atomic_file.h"
#include "lab/config/read.h"
#include "lab/run/run_config.h"
#include "tests/files_support.h"

namespace plumb {
namespace {

using test::error_of;
using test::Folder;

std::string error_of_set(const std::string& assignment) {
  Value root;
  return error_of([&] { apply_set(root, assignment); });
}

TEST(SetEdges, RefuseWhatIsNoKey) {
  for (const char* key : {"", ".a", "a.", "a..b", "a b", "\xc3\xa9"})
    EXPECT_NE(error_of_set(std::string(key) + "=1").find("is no key"), std::string::npos) << key;
  EXPECT_NE(error_of_set("a").find("has no `=`"), std::string::npos);
}

TEST(SetEdges, RefuseWhatIsNoSingleValue) {
  EXPECT_NE(error_of_set("a=[1]\nb=2").find("is no single value"), std::string::npos);
  EXPECT_NE(error_of_set("a=[1").size(), 0u);
  EXPECT_NE(error_of_set("a=1__2").size(), 0u);
}

TEST(SetEdges, TakeABareWordAsText) {
  Value root;
  apply_set(root, " a.b = to be ");
  EXPECT_EQ(*root.find("a.b"), Value("to be"));
  apply_set(root, "a.c=");
  EXPECT_EQ(*root.find("a.c"), Value(""));
  apply_set(root, "t={x=[1,2]}");
  EXPECT_EQ(root.find("t.x")->where.text(), "--set t={x=[1,2]}");
}

TEST(SetEdges, RefuseAKeyBelowAValue) {
  Value root = parse_toml("a = 1", "x.toml");
  apply_set(root, "a.b=2");  // laid upon it, a table takes its place
  EXPECT_EQ(*root.find("a.b"), Value(2));
  Value leaf(3);
  EXPECT_NE(error_of([&] { leaf.set("b", 1); }).find("the number 3 cannot hold the key \"b\""), std::string::npos);
}

TEST(ConfigFileEdges, SayWhyAFileCannotBeRead) {
  const Folder folder;
  const auto error = [&](const std::string& name) {
    return error_of([&] { read_toml_file((folder / name).string()); });
  };
  EXPECT_NE(error("none.toml").find("there is no such file"), std::string::npos);
  EXPECT_NE(error("").find("is a folder"), std::string::npos);
  files::write_atomically(folder / "large.toml", std::string((16u << 20) + 1, '#'));
  EXPECT_NE(error("large.toml").find("more than 16 MiB"), std::string::npos);
}

TEST(TomlEdges, RefuseDatesAndEndlessKeys) {
  EXPECT_NE(error_of([] { parse_toml("a = 2024-01-01", "x"); }).find("dates and times"), std::string::npos);
  std::string key = "a";
  for (int i = 0; i < 501; ++i) key += " .\t\"b\"";
  EXPECT_NE(error_of([&] { parse_toml("\n" + key + " = 1", "x"); }).find("more than 500 parts"), std::string::npos);
  EXPECT_NE(error_of([] { parse_toml("a = ", "x"); }).size(), 0u);
}

TEST(TomlEdges, WriteEveryNumberAndKey) {
  const double inf = std::numeric_limits<double>::infinity();
  Value root;
  root.set("low", -inf);
  root.set("high", inf);
  root.set("none", std::nan(""));
  root.set("whole", 3.0);
  root.table().push_back({"odd key", Value(true), {}});
  root.table().push_back({"", Value(false), {}});
  root.set("list", List{Value(1), Value("a\tb\x01\"\\\n")});
  const std::string text = write_toml(root);
  const Value again = parse_toml(text, "written");
  EXPECT_EQ(write_toml(again), text);
  EXPECT_EQ(*again.find("low")->as_number(), -inf);
  EXPECT_TRUE(std::isnan(*again.find("none")->as_number()));
  EXPECT_EQ(*again.find("odd key"), Value(true));
}

TEST(ValueEdges, NameTheirKind) {
  EXPECT_EQ(Value(true).kind(), "true");
  EXPECT_EQ(Value(false).kind(), "false");
  EXPECT_EQ(Value(2.5).kind(), "the number 2.5");
  EXPECT_EQ(Value(List{}).kind(), "a list");
  EXPECT_EQ(Value(Table{}).kind(), "a table");
}

TEST(ValueEdges, AreEqualByContent) {
  const Value a = parse_toml("x = [1, 2]\n[t]\ny = 1", "a"), b = parse_toml("x = [1, 2]\n[t]\ny = 1", "b");
  EXPECT_EQ(a, b);
  for (const char* other : {"x = [1, 3]\n[t]\ny = 1", "x = [1, 2]\n[t]\nz = 1", "x = [1, 2]\n[t]\ny = 2", "x = 1"})
    EXPECT_FALSE(a == parse_toml(other, "c")) << other;
}

TEST(ValueEdges, AreRemovedWhereTheyAre) {
  Value root = parse_toml("[a]\nb = 1\nc = 2", "x");
  EXPECT_FALSE(root.remove("a.z"));
  EXPECT_FALSE(Value(3).remove("a"));
  EXPECT_TRUE(root.remove("a.b"));
  EXPECT_EQ(root.find("a.b"), nullptr);
  EXPECT_EQ(root.find("a.c.d"), nullptr);
  Value number(1);
  merge(number, Value(2));
  EXPECT_EQ(number, Value(2));
}

TEST(ReadEdges, RefuseEveryWrongKindWithItsPlace) {
  const auto error = [](const std::string& text) {
    return error_of([&] {
      lab::RunConfig c;
      read(parse_toml(text, "x.toml"), c);
    });
  };
  EXPECT_NE(error("run = 3").find("is a section"), std::string::npos);
  EXPECT_NE(error("[run]\nsteps = \"many\"").find("must be an integer"), std::string::npos);
  EXPECT_NE(error("[run]\nsteps = 1.5").find("must be a whole number"), std::string::npos);
  EXPECT_NE(error("[run]\nsteps = 1e300").find("must be a whole number"), std::string::npos);
  EXPECT_NE(error("[run]\nsteps = [1, 2]").find("several values for one key are a sweep"), std::string::npos);
  EXPECT_NE(error("[train]\nema = \"x\"").find("must be a number"), std::string::npos);
  EXPECT_NE(error("[train]\ncheckpoint_activations = 1").find("true or false"), std::string::npos);
  EXPECT_NE(error("[train]\nprecision = 1").find("must be a text"), std::string::npos);
  EXPECT_NE(error("[train]\nprecision = \"f31\"").find("did you mean"), std::string::npos);
  EXPECT_NE(error("[train]\nprecision = \"quadruple\"").find("must be one of"), std::string::npos);
  EXPECT_NE(error("[data]\nkind = \"text\"").find("is missing"), std::string::npos);
  EXPECT_NE(error("[data]\nkind = \"text\"\npath = {a = 1}").find("must be"), std::string::npos);
  EXPECT_NE(error("[data]\nkind = \"text\"\npath = [1]").find("path[0]"), std::string::npos);
  EXPECT_NE(error("[run]\nlr = 1").find("schedule.lr"), std::string::npos);
  EXPECT_NE(error("[run]\nqqqqqqqq = 1").find("known here"), std::string::npos);
  EXPECT_NE(error("qqqqqqqq = {a = 1}\n[model]\ncontext = 31").find("unknown section"), std::string::npos);
}

}  // namespace
}  // namespace plumb
