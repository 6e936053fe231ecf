// The command line: help, suggestions, exit codes, errors for people and for programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/parallel.h"
#include "lab/cli/parse.h"
#include "lab/signals.h"
#include "tests/lab/text_support.h"

namespace plumb::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

int echo(const Arguments& a) {
  std::printf("%s|%s|%s|%lld|%zu|%d\n", a.word("FIRST").c_str(),
              a.words("REST").empty() ? "" : a.words("REST").back().c_str(), a.text("--name", "none").c_str(),
              static_cast<long long>(a.integer("--count", 3)), a.common.set.size(), num_threads());
  return 0;
}
int raise_error(const Arguments& a) {
  const auto kind = a.word("KIND");
  if (kind == "user") throw UserError("optim.lr must be above 0", "run.toml:3:7", "try \"1e-3\"");
  if (kind == "bug") throw Bug("x > 0");
  if (kind == "memory") throw std::bad_alloc();
  if (kind == "stop") throw Interrupted();
  return 7;
}
const Registration echo_command(
    {.name = "test-echo",
     .group = Group::machine,
     .help = "say what was given",
     .example = "plumb test-echo a b",
     .words = {{.name = "FIRST", .help = "the first word"},
               {.name = "REST", .help = "more", .optional = true, .many = true}},
     .options = {{"--name", "TEXT", "a name"}, {"--count", "N", "a count"}, {"--loud", "", "a switch"}},
     .run = echo});
const Registration raise_command({.name = "test-raise",
                                  .group = Group::machine,
                                  .help = "fail",
                                  .example = "plumb test-raise user",
                                  .words = {{.name = "KIND", .help = "how"}},
                                  .without = {"--dry-run"},
                                  .run = raise_error});

struct Ran {
  int code;
  std::string out, err;
};

Ran plumb(std::vector<const char*> words) {
  words.insert(words.begin(), "plumb");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_command_line(static_cast<int>(words.size()), words.data());
  std::string out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

// A screen of 40 lines and 80 columns: neither scrolls nor wraps.
void expect_one_screen(const std::string& text, const std::string& whose) {
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40) << whose;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << whose << ": " << line;
}

TEST(CommandLine, HelpListsEveryCommandOnOneScreen) {
  for (const auto& words : std::vector<std::vector<const char*>>{{}, {"--help"}, {"-h"}}) {
    const auto r = plumb(words);
    EXPECT_EQ(r.code, 0);
    EXPECT_EQ(r.err, "");
    for (const auto& c : commands()) EXPECT_THAT(r.out, HasSubstr("  " + c.name + " "));
    expect_one_screen(r.out, "plumb");
    EXPECT_THAT(r.out, HasSubstr("docs/tutorial.md"));
  }
}

TEST(CommandLine, EveryCommandShowsAnExampleAndIsComplete) {
  for (const auto& c : commands()) {
    const auto r = plumb({c.name.c_str(), "--help"});
    EXPECT_EQ(r.code, 0);
    EXPECT_THAT(r.out, HasSubstr("Example\n  plumb " + c.name));
    expect_one_screen(r.out, c.name);
    EXPECT_NE(c.run, nullptr) << c.name;
    EXPECT_LE(c.help.size(), 64u) << c.name;
    for (const auto& o : c.options) EXPECT_TRUE(o.flag.starts_with("--")) << o.flag;
  }
}

TEST(CommandLine, HelpIsACommandToo) {
  EXPECT_EQ(plumb({"help"}).out, plumb({"--help"}).out);
  EXPECT_EQ(plumb({"help", "train"}).out, plumb({"train", "--help"}).out);
  const auto r = plumb({"help", "trian"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("did you mean \"plumb train\"?"));
}

TEST(CommandLine, ThePageOfCommandsHasThemAllWithWordsAndOptions) {
  const auto page = plumb({"help", "--markdown"}).out;
  for (const auto& c : commands()) {
    EXPECT_THAT(page, HasSubstr("### plumb " + c.name + "\n"));
    EXPECT_THAT(page, HasSubstr("For example `" + c.example + "`\n"));
    for (const auto& o : c.options) EXPECT_THAT(page, HasSubstr("| `" + o.flag)) << c.name;
  }
}

TEST(CommandLine, OptionsThatMeanNothingToACommandAreRefused) {
  const auto r = plumb({"test-raise", "none", "--dry-run"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("plumb test-raise has no use for --dry-run"));
  EXPECT_THAT(plumb({"test-raise", "--help"}).out, Not(HasSubstr("--dry-run")));
  EXPECT_THAT(plumb({"test-echo", "--help"}).out, HasSubstr("--dry-run"));
  for (const auto& c : commands())
    for (const auto& flag : c.without)
      EXPECT_EQ(std::ranges::count(common_options, flag, &Option::flag), 1) << c.name << " " << flag;
}

TEST(CommandLine, KeysAreListedBySectionAndByName) {
  EXPECT_THAT(plumb({"config", "schedule"}).out, HasSubstr("schedule.warmup"));
  EXPECT_THAT(plumb({"config", "schedule"}).out, Not(HasSubstr("model.width")));
  EXPECT_EQ(plumb({"config", "schedule.lr"}).out, plumb({"config", "lr"}).out);
  EXPECT_THAT(plumb({"config", "tokenizer"}).out, HasSubstr("with data.kind = \"text\""));
  EXPECT_THAT(plumb({"config", "schedual"}).err, HasSubstr("did you mean \"plumb config schedule\"?"));
  EXPECT_THAT(plumb({"config", "lr", "--json"}).out,
              HasSubstr("[{\"key\":\"schedule.lr\",\"type\":\"number\",\"default\":0.003,"));
}

TEST(CommandLine, TheVersionIsOneLine) {
  const auto r = plumb({"--version"});
  EXPECT_EQ(r.code, 0);
  EXPECT_THAT(r.out, testing::StartsWith("plumb 0."));
  EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 1);
}

TEST(CommandLine, WordsAndOptionsArriveInAnyOrder) {
  const int before = num_threads();
  const auto r = plumb({"--set", "a=1", "test-echo", "--set", "b=[1,2]", "one", "--count", "-5", "two", "--threads=3",
                        "--name=x y", "--set", "c={}"});
  set_num_threads(before);
  EXPECT_EQ(r.err, "");
  EXPECT_EQ(r.out, "one|two|x y|-5|3|3\n");
}

TEST(CommandLine, ValuesReachTheCommandAsTheyWereWritten) {
  const char* words[] = {"plumb", "test-echo", "one",        "--set", "{}",
                         "--set", "a=\"b c\"", "--set=x=[]", "--set", "-y=1"};
  const auto request = parse(static_cast<int>(std::size(words)), words);
  EXPECT_THAT(request.arguments.common.set, testing::ElementsAre("{}", "a=\"b c\"", "x=[]", "-y=1"));
}

TEST(CommandLine, AWordMayBeTheNameOfACommand) {
  EXPECT_THAT(plumb({"test-echo", "data", "test-raise"}).out, HasSubstr("data|test-raise|"));
}

TEST(CommandLine, WordsAfterTwoDashesAreWords) {
  EXPECT_EQ(plumb({"test-echo", "--", "--name"}).out, fmt::format("--name||none|3|0|{}\n", num_threads()));
}

void expect_usage_error(std::vector<const char*> words, const std::string& text) {
  const auto r = plumb(std::move(words));
  EXPECT_EQ(r.code, 2) << r.err;
  EXPECT_EQ(r.out, "");
  EXPECT_THAT(r.err, HasSubstr("error: "));
  EXPECT_THAT(r.err, HasSubstr(text));
}

TEST(CommandLine, MistakesAreNamedWithTheNearestRightWord) {
  expect_usage_error({"test-ehco", "x"}, "did you mean \"plumb test-echo\"?");
  expect_usage_error({"zzzzzz"}, "plumb --help lists them");
  expect_usage_error({"test-echo", "x", "--thraeds", "2"}, "did you mean --threads?");
  expect_usage_error({"test-echo", "x", "--nmae=2"}, "did you mean --name?");
  expect_usage_error({"--thraeds", "2"}, "there is no option --thraeds");
  expect_usage_error({"test-echo"}, "FIRST is missing: the first word");
  expect_usage_error({"test-raise", "user", "more"}, "\"more\" is one word too many");
  expect_usage_error({"test-echo", "x", "--threads", "0"}, "--threads: needs a number of at least 1");
  expect_usage_error({"test-echo", "x", "--threads", "two"}, "--threads: needs a whole number, not \"two\"");
  expect_usage_error({"test-echo", "x", "--count", "1.5"}, "--count: needs a whole number");
  expect_usage_error({"test-echo", "x", "--name"}, "--name needs a value");
  expect_usage_error({"test-echo", "x", "--set"}, "write --set KEY=VALUE");
}

TEST(CommandLine, ErrorsBecomeMessagesAndExitCodes) {
  const auto user = plumb({"test-raise", "user"});
  EXPECT_EQ(user.code, 1);
  EXPECT_EQ(user.err, "error: run.toml:3:7: optim.lr must be above 0\n  hint: try \"1e-3\"\n");
  EXPECT_EQ(user.out, "");
  EXPECT_EQ(plumb({"test-raise", "none"}).code, 7);
  EXPECT_EQ(plumb({"test-raise", "stop"}).code, 130);
  EXPECT_EQ(plumb({"test-raise", "memory"}).code, 1);
  EXPECT_THAT(plumb({"test-raise", "bug"}).err, HasSubstr("please report"));
}

TEST(CommandLine, JsonErrorsAreOneObjectOnStdout) {
  const auto r = plumb({"test-raise", "user", "--json"});
  EXPECT_EQ(r.code, 1);
  EXPECT_EQ(r.out,
            "{\"error\": {\"what\": \"optim.lr must be above 0\", \"where\": \"run.toml:3:7\", "
            "\"hint\": \"try \\\"1e-3\\\"\", \"exit_code\": 1}}\n");
  EXPECT_THAT(plumb({"--json", "nothing"}).out, HasSubstr("\"exit_code\": 2"));
}

TEST(CommandLine, APluginThatIsNoneIsRefused) {
  const testing_support::ScratchFolder folder;
  const auto text = folder.write("libx.so", "not a library");
  EXPECT_THAT(plumb({"test-echo", "x", "--plugin", "missing.so"}).err, HasSubstr("there is no such plugin"));
  EXPECT_THAT(plumb({"test-echo", "x", "--plugin", text.c_str()}).err, HasSubstr("cannot be loaded"));
}

TEST(CommandLine, AFolderWithoutARunIsSaidSo) {
  for (const char* command : {"eval", "verify", "report", "sample"}) {
    const auto r = plumb({command, "nowhere"});
    EXPECT_EQ(r.code, 1) << command;
    EXPECT_THAT(r.err, HasSubstr("nowhere: there is no run here")) << command;
  }
  EXPECT_THAT(plumb({"list", "nowhere"}).err, HasSubstr("nowhere: there is no such folder"));
}

TEST(CommandLine, ADryRunIsTheWholeConfigurationAsTomlOrJson) {
  const testing_support::ScratchFolder folder;
  const auto file = folder.write("a.toml", "data.length = 65\n");
  EXPECT_THAT(plumb({"train", file.c_str(), "--dry-run"}).out, HasSubstr("\n[schedule]\ndecay = \"cosine\"\n"));
  const auto json = plumb({"train", file.c_str(), "--dry-run", "--json"}).out;
  EXPECT_THAT(json, testing::StartsWith("{\"run\":{\"steps\":300,"));
  EXPECT_EQ(folder.files(), 1u);
}

TEST(CommandLine, DataShowsTokens) {
  const testing_support::ScratchFolder folder;
  const auto text = folder.write("a.txt", "ab\ncd");
  const auto r = plumb({"data", text.c_str(), "--tokens", "3"});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("text: 1 file, bytes (vocabulary 256), 5 training and 0 validation tokens"));
  EXPECT_THAT(r.out, HasSubstr("       2       10  \\n\n"));
  EXPECT_THAT(r.out, Not(HasSubstr("  c\n")));
  EXPECT_THAT(plumb({"data", text.c_str(), "--json"}).out, HasSubstr("{\"vocab\": 256, \"training_tokens\": 5"));
  EXPECT_EQ(plumb({"data", "missing.txt"}).code, 1);
}

}  // namespace
}  // namespace plumb::cli
