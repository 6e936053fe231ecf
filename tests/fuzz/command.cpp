// The words of a command line, one a line: parsed, and what they give is asked for; nothing is run.
#include "lab/cli/parse.h"
#include "tests/fuzz/fuzz.h"

namespace plumb::fuzz {

void fuzz(std::string_view input) {
  std::vector<std::string> words{"plumb"};
  for (std::size_t from = 0; from <= input.size();) {
    const auto to = std::min(input.find('\n', from), input.size());
    words.emplace_back(input.substr(from, to - from));
    from = to + 1;
  }
  for (auto& word : words) word = word.c_str();  // as a shell hands them over: no zero byte
  std::vector<const char*> argv;
  for (const auto& word : words) argv.push_back(word.c_str());
  const cli::Request request = cli::parse(static_cast<int>(argv.size()), argv.data());
  if (!request.command) return;
  PLUMB_ASSERT(!cli::help_text(*request.command).empty());
  if (request.help || request.version) return;
  for (const auto& word : request.command->words)
    PLUMB_ASSERT(word.optional || !request.arguments.words(word.name).empty());
  for (const auto& option : request.command->options) {
    request.arguments.texts(option.flag);
    accepted([&] { request.arguments.integer(option.flag, 0); });
    accepted([&] { request.arguments.number(option.flag, 0); });
  }
}

std::vector<std::string> seeds() {
  std::vector<std::string> all{"--help", "train\nrun.toml\n--set\nrun.steps=3\n--set=a=1\n--threads\n2\n--quiet",
                               "--json\nconfig\n--markdown", "sample\nruns/a\n--tokens\n12\n--\n-x", "--version\n-h"};
  for (const auto& command : cli::commands()) all.push_back(command.name + "\n--help");
  return all;
}

}  // namespace plumb::fuzz
