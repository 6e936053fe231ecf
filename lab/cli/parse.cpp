// Parsing: the only file that includes CLI11.
#include "lab/cli/parse.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/fields.h"

namespace plumb::cli {

const std::vector<Option> common_options = {
    {"--out", "DIR", "folder for results"},
    {"--set", "KEY=VALUE", "override a key of the configuration", true},
    {"--device", "cpu|cuda", "where to compute"},
    {"--threads", "N", "threads of a process"},
    {"--jobs", "N", "processes at a time"},
    {"--json", "", "results as JSON on stdout"},
    {"--dry-run", "", "say what would be done, and stop"},
    {"--quiet", "", "no progress"},
    {"--plugin", "FILE", "load a shared object with objectives of your own", true},
};

namespace {

CLI::Option* declare(CLI::App& app, const Option& option) {
  if (option.value.empty()) return app.add_flag(option.flag)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  auto* declared = app.add_option(option.flag, [](const CLI::results_t&) { return true; });
  declared->type_name(option.value)->allow_extra_args(false);
  return option.repeatable ? declared->expected(1, 1 << 20)->take_all() : declared->expected(1);
}

// "did you mean --threads?" for the first word that nobody took.
[[noreturn]] void refuse_rest(const std::vector<std::string>& rest, const Command* command) {
  const std::string& word = rest.front();
  std::vector<std::string> known = {"--help"};
  if (!word.starts_with("-") && !command) {
    known.clear();
    for (const auto& c : commands()) known.push_back(c.name);
    const auto best = nearest_name(word, known);
    throw UsageError(fmt::format("there is no command \"{}\"", word), "",
                     best.empty() ? "plumb --help lists them" : fmt::format("did you mean \"plumb {}\"?", best));
  }
  const std::string see = command ? fmt::format("see plumb {} --help", command->name) : "see plumb --help";
  if (!word.starts_with("-")) throw UsageError(fmt::format("\"{}\" is one word too many", word), "", see);
  for (const auto& o : common_options) known.push_back(o.flag);
  if (command)
    for (const auto& o : command->options) known.push_back(o.flag);
  const auto best = nearest_name(word.substr(0, word.find('=')), known);
  throw UsageError(fmt::format("there is no option {}", word), "",
                   best.empty() ? see : fmt::format("did you mean {}?", best));
}

void take_words(const Command& command, const std::vector<std::string>& words, Arguments& into) {
  std::size_t next = 0;
  for (const auto& w : command.words) {
    auto& values = into.given[w.name];
    while (next < words.size() && (values.empty() || w.many)) values.push_back(words[next++]);
    if (values.empty() && !w.optional)
      throw UsageError(fmt::format("{} is missing: {}", w.name, w.help), "", "for example: " + command.example);
  }
  if (next < words.size()) refuse_rest({words.begin() + static_cast<std::ptrdiff_t>(next), words.end()}, &command);
}

int positive(const Arguments& a, const std::string& option) {
  const auto n = a.integer(option, 0);
  if (a.has(option) && (n < 1 || n > 65536))
    throw UsageError(fmt::format("needs a number of at least 1, not {}", n), option);
  return static_cast<int>(n);
}

CommonFlags common_of(const Arguments& a) {
  CommonFlags c;
  c.out = a.text("--out");
  c.threads = positive(a, "--threads");
  c.jobs = positive(a, "--jobs");
  c.device = a.text("--device");
  c.set = a.texts("--set");
  c.plugins = a.texts("--plugin");
  c.json = a.has("--json");
  c.dry_run = a.has("--dry-run");
  c.quiet = a.has("--quiet");
  return c;
}

}  // namespace

Request parse(int argc, const char* const* argv) {
  CLI::App app;
  app.set_help_flag();
  app.fallthrough()->allow_extras();
  const auto* help = app.add_flag("-h,--help");
  const auto* version = app.add_flag("--version");
  std::vector<std::pair<std::string, CLI::Option*>> declared;
  for (const auto& o : common_options) declared.emplace_back(o.flag, declare(app, o));
  std::vector<CLI::App*> subs;
  std::vector<std::vector<std::pair<std::string, CLI::Option*>>> own(commands().size());
  std::vector<CLI::Option*> words;
  for (std::size_t i = 0; i < commands().size(); ++i) {
    auto* sub = subs.emplace_back(app.add_subcommand(commands()[i].name));
    sub->set_help_flag();
    sub->fallthrough()->allow_extras();
    words.push_back(
        sub->add_option("words", [](const CLI::results_t&) { return true; })->expected(0, 1 << 20)->take_all());
    for (const auto& o : commands()[i].options) own[i].emplace_back(o.flag, declare(*sub, o));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    throw UsageError(e.what(), "", "see plumb --help");
  }
  Request request;
  request.help = help->count() > 0;
  request.version = version->count() > 0;
  std::vector<std::string> rest = app.remaining(true), given_words;
  for (std::size_t i = 0; i < subs.size(); ++i) {
    if (!subs[i]->parsed()) continue;
    request.command = &commands()[i];
    declared.insert(declared.end(), own[i].begin(), own[i].end());
    given_words = words[i]->results();
  }
  if (request.help || request.version) return request;
  if (!rest.empty()) refuse_rest(rest, request.command);
  for (const auto& [flag, option] : declared) request.arguments.given[flag] = option->results();
  if (request.command) take_words(*request.command, given_words, request.arguments);
  request.arguments.common = common_of(request.arguments);
  return request;
}

}  // namespace plumb::cli
