// What --help and plumb help print, and docs/commands.md.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "lab/cli/parse.h"

namespace plumb::cli {
namespace {

constexpr const char* titles[] = {"Runs", "What a run gave", "Studies", "Objectives", "Data", "Machine and files"};

std::string usage_of(const Command& c) {
  std::string usage = "plumb " + c.name;
  for (const auto& w : c.words) {
    const std::string word = w.name + (w.many ? "..." : "");
    usage += w.optional ? " [" + word + "]" : " " + word;
  }
  return usage + " [OPTIONS]";
}

bool is_taken(const Option& o) {  // by any command
  return std::ranges::any_of(commands(), [&](const Command& c) { return !std::ranges::count(c.without, o.flag); });
}

std::string escaped(const std::string& text) {  // a bar would end the cell of a Markdown table
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

std::string option_rows(const std::vector<Option>& options) {
  std::string rows;
  for (const auto& o : options)
    rows += fmt::format("| `{}` | {}{} |\n", escaped(o.value.empty() ? o.flag : o.flag + " " + o.value),
                        escaped(o.help), o.repeatable ? " (repeatable)" : "");
  return rows;
}

std::string markdown_of(const Command& c) {
  std::string text = fmt::format("\n### plumb {}\n\n{}.\n\n```\n{}\n```\n\nFor example `{}`\n", c.name, c.help,
                                 usage_of(c), c.example);
  text[text.find(c.help)] = static_cast<char>(std::toupper(c.help.front()));
  if (!c.words.empty() || !c.options.empty()) text += "\n| | |\n| --- | --- |\n";
  for (const auto& w : c.words) text += fmt::format("| `{}` | {} |\n", w.name, escaped(w.help));
  text += option_rows(c.options);
  std::string common;
  for (const auto& o : common_options_of(c)) common += fmt::format("{}`{}`", common.empty() ? "" : ", ", o.flag);
  return text + fmt::format("\nCommon options: {}.\n", common);
}

constexpr const char* page_head = R"(# Commands

<!-- Written by `plumb help --markdown`; a test compares. -->

`plumb --help` lists the commands, `plumb COMMAND --help` describes one with an example. Results go to stdout, progress and
messages to stderr. With `--json` the result is one JSON value on stdout, and an error is an object with `what`, `where`, `hint`
and `exit_code`. The exit code is 0 for success, 1 for an error or a result that is not as promised (`verify`, `diff`, `check`),
2 for a mistake in the command line, and 130 after an interruption.
)";

std::string option_line(const Option& o) {
  return fmt::format("  {:<24}{}{}\n", o.value.empty() ? o.flag : o.flag + " " + o.value, o.help,
                     o.repeatable ? " (repeatable)" : "");
}

// The common options by name, in lines of so many columns.
std::string option_names(std::size_t columns) {
  std::string text, line;
  for (const auto& o : common_options) {
    if (!is_taken(o)) continue;
    const std::string name = o.value.empty() ? o.flag : o.flag + " " + o.value;
    if (line.size() + name.size() + 2 > columns) text += line + "\n", line.clear();
    line += "  " + name;
  }
  return text + line + "\n";
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
  text += "\nCommon options, which the help of a command describes\n" + option_names(72);
  return text + R"(
Start with
  plumb train examples/copy_language/gpt.toml --set run.steps=300
  plumb COMMAND --help   each has an example; docs/tutorial.md is a first study
)";
}

std::string help_text(const Command& c) {
  std::string text = fmt::format("{}\n  {}\n\nExample\n  {}\n", usage_of(c), c.help, c.example);
  if (!c.words.empty()) text += "\nWords\n";
  for (const auto& w : c.words) text += fmt::format("  {:<24}{}\n", w.name, w.help);
  if (!c.options.empty()) text += "\nOptions\n";
  for (const auto& o : c.options) text += option_line(o);
  text += "\nCommon options\n";
  for (const auto& o : common_options_of(c)) text += option_line(o);
  return text;
}

std::string help_markdown() {
  std::string text = page_head;
  const Command* last = nullptr;
  for (const auto& c : commands()) {
    if (!last || last->group != c.group) text += fmt::format("\n## {}\n", titles[static_cast<int>(c.group)]);
    text += markdown_of(c);
    last = &c;
  }
  std::vector<Option> taken;
  std::ranges::copy_if(common_options, std::back_inserter(taken), is_taken);
  return text + "\n## Common options\n\n| | |\n| --- | --- |\n" + option_rows(taken);
}

namespace {

int help(const Arguments& a) {
  if (a.has("--markdown")) fmt::print("{}", help_markdown());
  else fmt::print("{}", a.word("COMMAND").empty() ? help_text() : help_text(command_called(a.word("COMMAND"))));
  return 0;
}

const Registration registered({.name = "help",
                               .group = Group::machine,
                               .help = "describe the commands, or one of them",
                               .example = "plumb help train",
                               .words = {{.name = "COMMAND", .help = "which; all when left out", .optional = true}},
                               .options = {{"--markdown", "", "as the page docs/commands.md"}},
                               .without = {"--out", "--set", "--device", "--threads", "--jobs", "--json", "--dry-run"},
                               .run = help});

}  // namespace

}  // namespace plumb::cli
