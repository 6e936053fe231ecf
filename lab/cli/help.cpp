// What --help prints.
#include <fmt/format.h>

#include "lab/cli/parse.h"

namespace plumb::cli {
namespace {

constexpr const char* titles[] = {"Runs", "Studies", "Objectives", "Data", "Machine and files"};

std::string option_line(const Option& o) {
  return fmt::format("  {:<24}{}{}\n", o.value.empty() ? o.flag : o.flag + " " + o.value, o.help,
                     o.repeatable ? " (repeatable)" : "");
}

}  // namespace

std::string help_text() {
  std::string text = "plumb COMMAND [WORDS] [OPTIONS]\n";
  const Command* last = nullptr;
  for (const auto& c : commands()) {
    if (!last || last->group != c.group) text += fmt::format("\n{}\n", titles[static_cast<int>(c.group)]);
    text += fmt::format("  {:<16}{}\n", c.name, c.help);
    last = &c;
  }
  text += "\nOptions of every command\n";
  for (const auto& o : common_options) text += option_line(o);
  return text + "\nplumb COMMAND --help shows an example; plumb --version names the build.\n";
}

std::string help_text(const Command& c) {
  std::string usage = "plumb " + c.name;
  for (const auto& w : c.words) {
    const std::string word = w.name + (w.many ? "..." : "");
    usage += w.optional ? " [" + word + "]" : " " + word;
  }
  std::string text = fmt::format("{} [OPTIONS]\n  {}\n\nExample\n  {}\n", usage, c.help, c.example);
  if (!c.words.empty()) text += "\nWords\n";
  for (const auto& w : c.words) text += fmt::format("  {:<24}{}\n", w.name, w.help);
  if (!c.options.empty()) text += "\nOptions\n";
  for (const auto& o : c.options) text += option_line(o);
  text += "\nOptions of every command\n";
  for (const auto& o : common_options) text += option_line(o);
  return text;
}

}  // namespace plumb::cli
