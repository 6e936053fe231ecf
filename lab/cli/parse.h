// The command line's words turned into arguments.
#pragma once

#include <string>
#include <vector>

#include "lab/cli/command.h"

namespace plumb::cli {

extern const std::vector<Option> common_options;
std::vector<Option> common_options_of(const Command& command);

struct Request {
  const Command* command = nullptr;  // none: plumb alone
  bool help = false, version = false;
  Arguments arguments;
};

// UsageError says what is wrong and what is nearest to it.
Request parse(int argc, const char* const* argv);

std::string help_text();                                 // all commands, on one screen
std::string help_text(const Command& command);           // one command, with its example
std::string help_markdown();                             // docs/commands.md
const Command& command_called(const std::string& name);  // UsageError names the nearest

}  // namespace plumb::cli
