// Options from TOML: every message with its place, overrides, and the way back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/errors.h"
#include "lab/config/read.h"

namespace plumb {
namespace {

using testing::HasSubstr;

enum class Order { shuffled, random };

struct Optim {
  std::string name = "adamw";
  double lr = 1e-3, beta = 0.9;
  std::vector<double> betas = {0.9, 0.95};
  void fields(Fields& f) {
    f("name", name).one_of({"adamw", "lion", "sgd"}).help("update rule");
    f("lr", lr).above(0).at_most(10).help("learning rate");
    f("beta", beta).at_least(0).below(1);
    f("betas", betas).at_least(0).below(1).help("decay of the moments");
  }
};

struct Dpo {
  double beta = 0.1;
  void fields(Fields& f) { f("beta", beta).above(0); }
};
struct Ipo {
  std::int64_t tau = 3;
  void fields(Fields& f) { f("tau", tau).above(0); }
};
struct Objective {
  std::string name = "dpo";
  Dpo dpo;
  Ipo ipo;
  void fields(Fields& f) {
    f("name", name).one_of({"dpo", "ipo"});
    f.dependent([this](Fields& g) { name == "dpo" ? dpo.fields(g) : ipo.fields(g); });
  }
};

struct Config {
  std::int64_t steps = 100;
  int width = 64, heads = 4;  // two keys of one rule
  std::uint64_t seed = 0;
  bool quiet = false;
  Order order = Order::shuffled;
  std::string title;
  std::vector<std::string> paths;
  std::vector<std::int64_t> sizes;
  Optim optim;
  Objective objective;
  void fields(Fields& f) {
    f("steps", steps).at_least(1).unit("steps").help("optimiser steps");
    f("width", width).at_least(1).help("width | of the model");
    f("heads", heads).at_least(1);
    f.rule({"heads", "width"}, [this]() -> Complaint {
      if (width % heads == 0) return {};
      return {fmt::format("must divide width = {}", width), "choose another"};
    });
    f("seed", seed);
    f("quiet", quiet);
    f("order", order).one_of({"shuffled", "random"});
    f("title", title);
    f("paths", paths);
    f("sizes", sizes).at_least(1);
    f.section("optim", optim).help("the optimiser");
    f.section("objective", objective);
    f.rule({"optim.lr", "steps"}, [this] { return optim.lr * static_cast<double>(steps) > 2e4 ? "is too much" : ""; });
  }
};

UserError error_of(const std::string& toml, const std::vector<std::string>& sets = {}) {
  try {
    Value root = parse_toml(toml, "run.toml");
    for (const auto& s : sets) apply_set(root, s);
    Config run;
    read(root, run);
  } catch (const UserError& e) {
    return e;
  }
  ADD_FAILURE() << "accepted: " << toml;
  return UserError("");
}

void expect_error(const std::string& toml, const std::string& where, const std::string& what,
                  const std::string& hint = "") {
  const auto e = error_of(toml);
  EXPECT_EQ(e.where(), where) << toml;
  EXPECT_THAT(e.message(), HasSubstr(what)) << toml;
  EXPECT_THAT(e.hint(), HasSubstr(hint)) << toml;
}

Config run_of(const std::string& toml, const std::vector<std::string>& sets = {}) {
  Value root = parse_toml(toml, "run.toml");
  for (const auto& s : sets) apply_set(root, s);
  Config run;
  read(root, run);
  return run;
}

TEST(Config, ReadsEveryKindOfField) {
  const Config r = run_of(
      "steps = 1e3\nwidth = 32\nseed = 7\nquiet = true\norder = \"random\"\ntitle = \"é\"\npaths = \"one.txt\"\n"
      "sizes = [1, 2]\n[optim]\nlr = 1\nbetas = [0.5]\n[objective]\nname = \"ipo\"\ntau = 9\n");
  EXPECT_EQ(r.steps, 1000);
  EXPECT_EQ(r.width, 32);
  EXPECT_EQ(r.seed, 7u);
  EXPECT_TRUE(r.quiet);
  EXPECT_EQ(r.order, Order::random);
  EXPECT_EQ(r.title, "é");
  EXPECT_EQ(r.paths, std::vector<std::string>{"one.txt"});
  EXPECT_EQ(r.sizes, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(r.optim.lr, 1.0);
  EXPECT_EQ(r.optim.betas, std::vector<double>{0.5});
  EXPECT_EQ(r.objective.ipo.tau, 9);
}

TEST(Config, AnUnknownKeyNamesItsPlaceAndTheNearestKnownOne) {
  expect_error("steps = 5\n\n[optim]\n  lrr = 1\n", "run.toml:4:3", "unknown key \"optim.lrr\"",
               "did you mean \"lr\"?");
  expect_error("setps = 5\n", "run.toml:1:1", "unknown key \"setps\"", "did you mean \"steps\"?");
  expect_error("lr = 5\n", "run.toml:1:1", "unknown key \"lr\"", "did you mean \"optim.lr\"?");
  expect_error("zzzzzzzz = 5\n", "run.toml:1:1", "unknown key", "known here: steps, width");
}

TEST(Config, AnUnknownSectionNamesItsPlace) {
  expect_error("steps = 5\n[optimm]\nlr = 1\n", "run.toml:2:2", "unknown section \"optimm\"",
               "did you mean \"optim\"?");
}

TEST(Config, AKeyOfTheObjectiveNotChosenIsUnknown) {
  expect_error("[objective]\nname = \"ipo\"\nbeta = 1\n", "run.toml:3:1", "unknown key \"objective.beta\"");
  expect_error("[objective]\nname = \"dpo\"\nbeta = -1\n", "run.toml:3:8", "objective.beta must be above 0, not -1");
}

TEST(Config, EveryBoundIsEnforcedAtItsPlace) {
  expect_error("optim.lr = 0\n", "run.toml:1:12", "optim.lr must be above 0, at most 10, not 0");
  expect_error("optim.lr = 10.5\n", "run.toml:1:12", "not 10.5");
  expect_error("optim.beta = -0.1\n", "run.toml:1:14", "must be at least 0, below 1, not -0.1");
  expect_error("optim.beta = 1\n", "run.toml:1:14", "not 1");
  expect_error("steps = 0\n", "run.toml:1:9", "steps must be at least 1, not 0");
  expect_error("optim.lr = nan\n", "run.toml:1:12", "must be a finite number, not nan");
  expect_error("optim.lr = inf\n", "run.toml:1:12", "must be a finite number, not inf");
  expect_error("[optim]\nbetas = [0.5, 1.5]\n", "run.toml:2:15", "optim.betas[1] must be at least 0, below 1, not 1.5");
  expect_error("sizes = [3, 0]", "run.toml:1:13", "sizes[1] must be at least 1, not 0");
  EXPECT_EQ(run_of("optim.lr = 10").optim.lr, 10);
  EXPECT_EQ(run_of("optim.beta = 0").optim.beta, 0);
}

TEST(Config, AWrongTypeSaysBoth) {
  expect_error("steps = \"many\"\n", "run.toml:1:9", "steps must be an integer, not the text \"many\"");
  expect_error("steps = 2.5\n", "run.toml:1:9", "steps must be a whole number, not 2.5");
  expect_error("steps = 1e300\n", "run.toml:1:9", "steps must be a whole number");
  expect_error("quiet = 1\n", "run.toml:1:9", "quiet must be true or false, not the number 1");
  expect_error("title = 3\n", "run.toml:1:9", "title must be a text, not the number 3");
  expect_error("optim.lr = [1, 2]\n", "run.toml:1:12", "optim.lr must be a number, not a list", "sweep");
  expect_error("optim = 3\n", "run.toml:1:9", "optim is a section, not the number 3");
  expect_error("steps = {a = 1}\n", "run.toml:1:9", "not a table");
  expect_error("seed = -1\n", "run.toml:1:8", "seed must be from 0 to");
  expect_error("width = 3000000000\n", "run.toml:1:9", "width must be from -2147483648 to 2147483647");
  expect_error("paths = [1]\n", "run.toml:1:10", "paths[0] must be a text, not the number 1");
  expect_error("title = 2024-01-01\n", "run.toml:1:9", "dates");
}

TEST(Config, AWrongChoiceListsTheChoices) {
  expect_error("[optim]\nname = \"adamq\"\n", "run.toml:2:8", "must be one of adamw, lion, sgd, not \"adamq\"",
               "did you mean \"adamw\"?");
  expect_error("order = \"randum\"\n", "run.toml:1:9", "must be one of shuffled, random, not \"randum\"", "\"random\"");
}

TEST(Config, ARuleAcrossKeysPointsAtTheOneThatIsWritten) {
  expect_error("width = 10\nheads = 3\n", "run.toml:2:9", "heads must divide width = 10", "choose another");
  expect_error("steps = 3\nwidth = 10\n", "run.toml:2:9", "heads must divide width = 10");
  EXPECT_EQ(error_of("width = 64\nheads = 4\n", {"width=10"}).where(), "--set width=10");
  EXPECT_EQ(error_of("width = 64\nheads = 3\n", {"steps=10"}).where(), "run.toml:2:9");
}

TEST(Config, ARuleAcrossSectionsPointsAtItsKey) {
  expect_error("steps = 30000\n[optim]\nlr = 1\n", "run.toml:3:6", "optim.lr is too much");
  expect_error("steps = 1e9\n", "run.toml:1:9", "optim.lr is too much");
}

TEST(Config, AnErrorThatNamesAKeyIsMovedToWhereTheKeyStands) {
  const Value root = parse_toml("[data]\npath = \"x\"\n", "run.toml");
  const auto error_at = [&](const std::string& where) {
    try {
      with_places(root, [&]() -> int { throw UserError("is missing", where, "look for it"); });
    } catch (const UserError& e) {
      return e;
    }
    return UserError("");
  };
  EXPECT_EQ(error_at("data.path").where(), "run.toml:2:8");
  EXPECT_EQ(error_at("data.path").message(), "data.path: is missing");
  EXPECT_EQ(error_at("data.path").hint(), "look for it");
  EXPECT_EQ(error_at("data.other").where(), "data.other");
  EXPECT_EQ(error_at("").message(), "is missing");
}

TEST(Config, SyntaxErrorsAndDuplicatesCarryTheirPlace) {
  EXPECT_THAT(error_of("steps = \n").where(), HasSubstr("run.toml:1:"));
  EXPECT_THAT(error_of("steps = 1\nsteps = 2\n").where(), HasSubstr("run.toml:2:"));
  EXPECT_THAT(error_of("steps = 1\nsteps = 2\n").message(), HasSubstr("steps"));
  EXPECT_THAT(error_of("[optim\nlr = 1").where(), HasSubstr("run.toml:1:"));
  EXPECT_THAT(error_of("title = \"abc").where(), HasSubstr("run.toml:1:"));
}

TEST(Config, HostileTextIsRefusedNotSwallowed) {
  std::string deep = "a";
  for (int i = 0; i < 400000; ++i) deep += ".a";
  EXPECT_THROW(parse_toml(deep + " = 1", "x"), UserError);
  EXPECT_THROW(parse_toml("a = " + std::string(200000, '['), "x"), UserError);
  EXPECT_THROW(parse_toml(std::string("a = \"\xff\xfe\"", 9), "x"), UserError);
  EXPECT_THROW(parse_toml(std::string("\0\0\0", 3), "x"), UserError);
}

TEST(Config, SetOverridesTheFile) {
  EXPECT_EQ(run_of("optim.lr = 1", {"optim.lr=1e-3", "title=plain words"}).optim.lr, 1e-3);
  EXPECT_EQ(run_of("", {"title=plain words"}).title, "plain words");
  EXPECT_EQ(run_of("", {"title=\"a=b\""}).title, "a=b");
  EXPECT_EQ(run_of("", {"title=a#b"}).title, "a#b");
  EXPECT_EQ(run_of("", {"title="}).title, "");
  EXPECT_EQ(run_of("", {"optim={lr=2, name='lion'}"}).optim.name, "lion");
  EXPECT_EQ(run_of("optim.beta = 0.5", {"optim={lr=2}"}).optim.beta, 0.5);
  EXPECT_EQ(run_of("", {"sizes=[4,5]"}).sizes, (std::vector<std::int64_t>{4, 5}));
}

TEST(Config, ErrorsOfSetNameTheAssignment) {
  EXPECT_EQ(error_of("", {"optim.lr=abc"}).where(), "--set optim.lr=abc");
  EXPECT_EQ(error_of("", {"optim.lr=-1"}).where(), "--set optim.lr=-1");
  EXPECT_EQ(error_of("", {"optim.lt=1"}).where(), "--set optim.lt=1");
  EXPECT_THAT(error_of("", {"optim.lt=1"}).hint(), HasSubstr("\"lr\""));
  EXPECT_THAT(error_of("", {"steps"}).hint(), HasSubstr("--set section.key=value"));
  EXPECT_THAT(error_of("", {"a b=1"}).message(), HasSubstr("is no key"));
  EXPECT_THAT(error_of("", {"sizes=[1,"}).where(), HasSubstr("--set sizes=[1,"));
  EXPECT_THAT(error_of("", {"steps.x=1"}).message(), HasSubstr("steps must be an integer, not a table"));
  EXPECT_THAT(error_of("", {"steps=99999999999999999999"}).message(), HasSubstr("64 bits"));
  EXPECT_THAT(error_of("", {"steps=1\nwidth=2"}).message(), HasSubstr("steps"));
}

TEST(Config, WhatIsWrittenReadsBackTheSame) {
  Config run;
  run.optim.lr = 0.1 + 0.2;
  run.optim.beta = 5e-324;
  run.optim.betas = {1e-7, 1.0 / 3, 0};
  run.title = "tab\t quote\" back\\ new\nline \x01 \x7f é";
  run.paths = {"a b", ""};
  run.objective.name = "ipo";
  const std::string text = resolved_toml(run);
  Config again;
  read(parse_toml(text, "out"), again);
  EXPECT_EQ(again.optim.lr, run.optim.lr);
  EXPECT_EQ(again.optim.beta, run.optim.beta);
  EXPECT_EQ(again.title, run.title);
  EXPECT_EQ(resolved_toml(again), text);
  EXPECT_EQ(to_value(again), to_value(run));
  EXPECT_EQ(parse_toml(text, "out"), to_value(run));
  EXPECT_THAT(text, HasSubstr("lr = 0.30000000000000004\n"));
  EXPECT_THAT(text, HasSubstr("\n[objective]\nname = \"ipo\"\ntau = 3\n"));
}

TEST(Config, DoublesRoundTripWithTheFewestDigits) {
  for (const double x : {1.0, 1e22, 1e-5, -0.0, 123456789.0, 1.7976931348623157e308, 2.2250738585072014e-308}) {
    const Value back = parse_toml("x = " + write_toml_value(Value(x)), "x");
    ASSERT_TRUE(back.find("x")->as_number()) << write_toml_value(Value(x));
    EXPECT_EQ(*back.find("x")->as_number(), x);
    EXPECT_EQ(std::signbit(*back.find("x")->as_number()), std::signbit(x));
  }
  EXPECT_EQ(write_toml_value(Value(0.1)), "0.1");
}

TEST(Config, OddKeysAndNestedListsRoundTrip) {
  const Value v =
      parse_toml("\"a b\" = 1\n[rows]\nlist = [{x = 1, y = [1.5, 'z']}, {}]\n[rows.'c.d']\nk = false\n", "in");
  EXPECT_EQ(parse_toml(write_toml(v), "out"), v) << write_toml(v);
}

TEST(Config, ReferenceAndHelpListEveryKey) {
  Config run;
  const auto docs = fields_markdown(visit_of(run));
  EXPECT_THAT(docs, HasSubstr("| `optim.lr` | number | `0.001` | above 0, at most 10 | learning rate |"));
  EXPECT_THAT(docs, HasSubstr("| `steps` | integer (steps) | `100` | at least 1 | optimiser steps |"));
  EXPECT_THAT(docs, HasSubstr("width \\| of the model"));
  EXPECT_THAT(docs, HasSubstr("adamw \\| lion \\| sgd"));
  EXPECT_THAT(docs, HasSubstr("## `[optim]` the optimiser\n"));
  EXPECT_THAT(fields_help(list_all_fields(visit_of(run))), HasSubstr("optim.betas"));
}

TEST(Config, ReferenceListsTheKeysOfEveryChoiceAndLeavesTheValuesAlone) {
  Config run;
  run.objective.name = "ipo";
  const auto docs = fields_markdown(visit_of(run));
  const auto dpo = docs.find("With `objective.name = \"dpo\"`:"), ipo = docs.find("With `objective.name = \"ipo\"`:");
  ASSERT_NE(dpo, std::string::npos);
  ASSERT_NE(ipo, std::string::npos);
  EXPECT_LT(dpo, docs.find("| `objective.beta` |"));
  EXPECT_LT(ipo, docs.find("| `objective.tau` |"));
  EXPECT_EQ(run.objective.name, "ipo");
  EXPECT_EQ(list_all_fields(visit_of(run)).size(), list_fields(visit_of(run)).size() + 1);
  EXPECT_EQ(list_all_fields(visit_of(run)).back().when, "objective.name = \"ipo\"");
}

TEST(Config, StructsMadeInProgramsAreCheckedToo) {
  Config run;
  EXPECT_NO_THROW(check_fields(run, "run"));
  const auto refusal = [&] {
    try {
      check_fields(run, "run");
    } catch (const UserError& e) {
      return e.message();
    }
    return std::string("accepted");
  };
  run.optim.lr = -1;
  EXPECT_EQ(refusal(), "run.optim.lr must be above 0, at most 10, not -1");
  run.optim.lr = 1;
  run.heads = 3;
  EXPECT_EQ(refusal(), "run.heads must divide width = 64");
}

TEST(Config, AValueIsAlsoJson) {
  EXPECT_EQ(write_json(parse_toml("b = [1, 2.5]\na = \"x\\\"y\"\n[t]\nk = true\n", "in")),
            R"({"b":[1,2.5],"a":"x\"y","t":{"k":true}})");
}

TEST(Config, AMissingFileAndAFolderAreSaidSo) {
  EXPECT_THROW(read_toml_file("/no/such/file.toml"), UserError);
  try {
    read_toml_file(std::filesystem::temp_directory_path().string());
    FAIL();
  } catch (const UserError& e) {
    EXPECT_THAT(e.message(), HasSubstr("folder"));
  }
}

TEST(Value, CopiesAreIndependent) {
  const Value a = parse_toml("x.y = 1", "in");
  Value b = a;
  b.set("x.y", 2);
  EXPECT_EQ(*a.find("x.y")->as_integer(), 1);
  EXPECT_EQ(*b.find("x.y")->as_integer(), 2);
  EXPECT_TRUE(b.remove("x.y"));
  EXPECT_FALSE(b.remove("x.y"));
  Value c = a;
  EXPECT_THROW(c.set("x.y.z", 1), UserError);
}

TEST(NearestName, FindsTyposAndNothingElse) {
  EXPECT_EQ(nearest_name("warmpu", {"warmup", "width"}), "warmup");
  EXPECT_EQ(nearest_name("warm", {"warmup_steps"}), "warmup_steps");
  EXPECT_EQ(nearest_name("qqqq", {"warmup", "width"}), "");
  EXPECT_EQ(nearest_name("", {"a"}), "");
  EXPECT_EQ(nearest_name(std::string(100000, 'a'), {"a"}), "");
}

}  // namespace
}  // namespace plumb
