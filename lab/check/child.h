// Children of a check: `plumb` itself, run quietly, perhaps killed.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "lab/check/check.h"

namespace plumb::lab {

// Starts a command with `variables` ("TZ=UTC") laid over this environment; its output is thrown away.
pid_t spawn(const std::vector<std::string>& command, const std::vector<std::string>& variables = {});

// Waits for the child, killing it after `seconds` (0 = never). Its exit code, or minus the signal that ended it.
int wait_for(pid_t child, double seconds);
bool finish(pid_t child, double seconds);  // true when it ended by itself with success

std::string plumb_of(const CheckOptions& o);  // the command line to run

// The folder of a check, removed at its end, with a small configuration in it.
class Workplace {
 public:
  explicit Workplace(const CheckOptions& o);
  ~Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  std::string operator/(const std::string& name) const { return (folder_ / name).string(); }
  std::string config() const { return *this / "run.toml"; }

 private:
  std::filesystem::path folder_;
};

}  // namespace plumb::lab
