// Parsing: the only file that includes CLI11.
#include "lab/cli/parse.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "core/fields.h"

namespace plumb::cli {

const std::vector<Option> common_options = {
    {"--out", "DIR", "folder for results"},
    {"--set", "KEY=VALUE", "override a key of the file", true},
    {"--device", "cpu|cuda", "where to compute"},
    {"--threads", "N", "threads; as many as cores when left out"},
    {"--jobs", "N", "processes at a time"},
    {"--json", "", "results as JSON on stdout"},
    {"--dry-run", "", "say what would be done, and stop"},
    {"--quiet", "", "no progress"},
    {"--plugin", "FILE", "load objectives of your own", true},
};

std::vector<Option> common_options_of(const Command& command) {
  auto all = common_options;
  std::erase_if(all, [&](const Option& o) { return std::ranges::count(command.without, o.flag) > 0; });
  return all;
}

namespace {

constexpr int many = CLI::detail::expected_max_vector_size;  // what CLI11 takes for "no limit"

CLI::Option* declare(CLI::App& app, const Option& option) {
  if (option.value.empty())
    return app.add_flag(option.flag)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->disable_flag_override();  // --json=false would count as --json
  auto* declared = app.add_option(option.flag, [](const CLI::results_t&) { return true; });
  option.repeatable ? declared->expected(1, many)->take_all() : declared->expected(1);
  return declared->allow_extra_args(false);  // one value each time; the rest are words
}

std::string see_help(const Command* command) {
  return command ? fmt::format("see plumb {} --help", command->name) : "see plumb --help";
}

// "did you mean --threads?" for the first word that nobody took.
[[noreturn]] void refuse_rest(const std::vector<std::string>& rest, const Command* command) {
  const std::string& word = rest.front();
  std::vector<std::string> known = {"--help"};
  const std::string see = see_help(command);
  if (!word.starts_with("-")) throw UsageError(fmt::format("\"{}\" is one word too many", word), "", see);
  const auto flag = word.substr(0, word.find('='));
  if (command && std::ranges::count(command->without, flag))
    throw UsageError(fmt::format("plumb {} has no use for {}", command->name, flag), "", see);
  for (const auto& o : command ? common_options_of(*command) : common_options) known.push_back(o.flag);
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

const Option* common_option(const std::string& word) {
  const auto name = word.substr(0, word.find('='));
  for (const auto& o : common_options)
    if (o.flag == name) return &o;
  return nullptr;
}

// The command is the first word that is no common option and no value of one. It is taken out of `args`.
const Command* take_command(std::vector<std::string>& args) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto& word = args[i];
    if (word == "-h" || word == "--help" || word == "--version") continue;
    if (const auto* o = common_option(word)) {
      if (!o->value.empty() && word.find('=') == std::string::npos) ++i;
      continue;
    }
    if (word.starts_with("-")) refuse_rest({word}, nullptr);
    const Command& command = command_called(word);
    args.erase(args.begin() + static_cast<std::ptrdiff_t>(i));
    return &command;
  }
  return nullptr;
}

// Every option that the request may hold: those that a command has no use for are read only to be refused by name.
std::vector<Option> options_of(const Request& request) {
  auto all = common_options;
  if (request.command) all.insert(all.end(), request.command->options.begin(), request.command->options.end());
  return all;
}

// CLI11 says "--set: 1 required  missing", and "json was given a disallowed flag override".
[[noreturn]] void refuse_values(const Request& request, const std::string& complaint) {
  const std::string flag = complaint.substr(0, complaint.find_first_of(": "));
  for (const auto& o : options_of(request))
    if (o.flag == flag && !o.value.empty())
      throw UsageError(fmt::format("{} needs a value", flag), "", fmt::format("write {} {}", flag, o.value));
  throw UsageError(fmt::format("--{} takes no value", flag), "", see_help(request.command));
}

}  // namespace

const Command& command_called(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& c : commands()) {
    if (c.name == name) return c;
    known.push_back(c.name);
  }
  const auto best = nearest_name(name, known);
  throw UsageError(fmt::format("there is no command \"{}\"", name), "",
                   best.empty() ? "plumb --help lists them" : fmt::format("did you mean \"plumb {}\"?", best));
}

// CLI11 sees one flat command line: as a sub-command of its own it would take any word that is also a command's name.
Request parse(int argc, const char* const* argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  Request request;
  request.command = take_command(args);
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  const auto* help = app.add_flag("-h,--help")->disable_flag_override();
  const auto* version = app.add_flag("--version")->disable_flag_override();
  std::vector<std::pair<std::string, CLI::Option*>> declared;
  for (const auto& o : options_of(request)) declared.emplace_back(o.flag, declare(app, o));
  const auto* words = app.add_option("words", [](const CLI::results_t&) { return true; })
                          ->expected(0, many)
                          ->take_all()
                          ->allow_extra_args();
  try {
    std::reverse(args.begin(), args.end());  // as CLI11 wants them
    app.parse(args);
  } catch (const CLI::ArgumentMismatch& e) {
    refuse_values(request, e.what());
  } catch (const CLI::ParseError& e) {
    throw UsageError(e.what(), "", see_help(request.command));
  }
  request.help = help->count() > 0;
  request.version = version->count() > 0;
  if (request.help || request.version) return request;
  auto rest = app.remaining();
  std::erase(rest, "--");
  if (!rest.empty()) refuse_rest(rest, request.command);
  for (const auto& [flag, option] : declared) {
    request.arguments.given[flag] = option->results();
    if (request.command && option->count() > 0 && std::ranges::count(request.command->without, flag))
      refuse_rest({flag}, request.command);
  }
  if (request.command) take_words(*request.command, words->results(), request.arguments);
  request.arguments.common = common_of(request.arguments);
  return request;
}

}  // namespace plumb::cli
