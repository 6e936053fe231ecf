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
  const auto error_of_device = [](const char* path) { return error_of([&] { read_toml_file(path); }); };
  EXPECT_NE(error_of_device("/dev/zero").find("more than 16 MiB"), std::string::npos);  // has no size
  EXPECT_NE(error_of_device("/proc/self/mem").find("/proc/self/mem: cannot be read"), std::string::npos);
}

TEST(TomlEdges, RefuseDatesAndEndlessKeys) {
  EXPECT_NE(error_of([] { parse_toml("a = 2024-01-01", "x"); }).find("dates and times"), std::string::npos);
  std::string key = "a";
  for (int i = 0; i < 501; ++i) key += " .\t\"b\"";
  EXPECT_NE(error_of([&] { parse_toml("\n" + key + " = 1", "x"); }).find("more than 500 parts"), std::string::npos);
  EXPECT_NE(error_of([] { parse_toml("a = ", "x"); }).size(), 0u);
  EXPECT_NE(error_of([] { parse_toml("a = 1e999", "x"); }).find("x:1:10: '1e999' is not representable"),
            std::string::npos);
  EXPECT_NE(error_of([] { parse_toml("a = 1\nb = '\xff'", "x"); }).find("invalid utf-8"), std::string::npos);
}

TEST(TomlEdges, RefuseWhatFailsTheParsersOwnAssertions) {
  try {
    parse_toml("[run]\nsteps = 3\n[,data]\nkind = \"text\"\n", "a.toml");
    ADD_FAILURE() << "accepted";
  } catch (const UserError& e) {
    EXPECT_EQ(e.where(), "a.toml:3:1");
  }
  EXPECT_THROW(parse_toml("[,", "a.toml"), UserError);
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
  merge(root, Value(3));  // a value laid upon a table takes its place
  EXPECT_EQ(root, Value(3));
  EXPECT_FALSE(root == Value("3"));
}

TEST(JsonEdges, KeepEveryTextAndSayNullWhereThereIsNoNumber) {
  const double inf = std::numeric_limits<double>::infinity();
  Value root;
  root.set("text", "a\\b\"c\n\t\x01");
  root.set("high", inf);
  root.set("none", std::nan(""));
  root.set("list", List{Value(true), Value(3), Value(3.0)});
  EXPECT_EQ(write_json(root), R"({"text":"a\\b\"c\n\t\u0001","high":null,"none":null,"list":[true,3,3.0]})");
  EXPECT_EQ(*read_flat_json(R"({"a":1,"deep":{"a":2,"list":[3]},"list":[4],"b":"x","n":null})").find("a"), Value(1));
  EXPECT_EQ(read_flat_json(R"({"a":1,"deep":{"a":2}})").table().size(), 1u);
  EXPECT_FALSE(read_flat_json("[1]").find("a"));
  EXPECT_FALSE(read_flat_json("{\"a\":").find("a"));
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

// A section of its own kind: required, empty, and dependent parts, and a rule that the defaults break.
struct Odd {
  struct Nothing {
    void fields(Fields&) {}
  } nothing;
  struct Named {
    double speed = 1;
    void fields(Fields& f) { f("speed", speed); }
  } first, second;
  std::string path, kind = "a";
  std::vector<std::int64_t> sizes{1};
  std::int64_t free = 1, low = 1, high = 2, last = 3;
  void fields(Fields& f) {
    f.dependent([this](Fields& g) { g("free", free); });  // of nothing above it
    f("path", path).required().help("of the file");
    f("kind", kind).one_of({"a", "b"});
    f.dependent([this](Fields& g) {
      if (kind == "a") g("low", low);
    });
    f("sizes", sizes).at_least(1);
    f("high", high);
    f("last", last).help("and no more");
    f.section("nothing", nothing);
    f.section("first", first);
    f.section("second", second);
    f.rule({"high", "last"}, [this] { return high < last ? "" : "must be below last"; });
  }
};

std::string error_of_odd(const std::string& text, const std::vector<std::string>& sets = {}, std::int64_t high = 2) {
  return error_of([&] {
    Odd odd;
    odd.high = high;
    Value root = parse_toml(text, "x.toml");
    for (const auto& s : sets) apply_set(root, s);
    read(root, odd);
  });
}

TEST(ReadEdges, SayWhereAMistakeStands) {
  const auto has = [](const std::string& error, const std::string& part) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  const std::string good = "path = \"p\"\n";
  EXPECT_EQ(error_of_odd(good), "");
  has(error_of_odd(good + "sizes = 0"), "x.toml:2:9: sizes must be at least 1, not 0");  // one value is a list of one
  has(error_of_odd(good + "sizes = [1, 0]"), "x.toml:2:13: sizes[1] must be at least 1, not 0");
  has(error_of_odd(good, {"high=5", "last=4"}), "--set high=5: high must be below last");  // of two, the first
  has(error_of_odd(good, {}, 3), "high must be below last");                               // by its defaults
  has(error_of_odd(good + "speed = 1"), "did you mean \"first.speed\"?");                  // of two, the first
  has(error_of_odd(good + "[nothing]\nspeeed_ = 1"), "this section has no keys");
  has(error_of_odd(""), "path is missing");
}

TEST(DescribeEdges, ListRequiredAndDependentKeys) {
  Odd odd;
  const std::string page = fields_markdown(visit_of(odd)), help = fields_help(list_fields(visit_of(odd)));
  EXPECT_NE(page.find("| `free` | "), std::string::npos) << page;
  EXPECT_NE(page.find("| `path` | text | (required) | "), std::string::npos) << page;
  EXPECT_NE(page.find("\nWith `kind = \"a\"`:\n"), std::string::npos) << page;
  EXPECT_NE(help.find("(required)"), std::string::npos) << help;
  const auto low = page.find("| `low` |"), next = page.find("| key | type |", low), sizes = page.find("| `sizes` |");
  EXPECT_TRUE(low < next && next < sizes) << page;  // those that do not depend are in a table of their own again
}

}  // namespace
}  // namespace plumb
