// Runs a program with a text as its input, and takes its output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plumb::report {

struct ProcessResult {
  int status = 0;  // exit status; 127 when the program is missing, 128 + n when signal n ended it
  std::string out, err;
};
ProcessResult run_process(const std::vector<std::string>& command, std::string_view input);

}  // namespace plumb::report
