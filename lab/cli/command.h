// A command of `plumb` is one file lab/cli/NAME.cpp that registers one value:
//   int run(const Arguments& a) { ... return 0; }
//   const Registration registered({.name = "train", .group = Group::runs, .help = "train a model from a configuration",
//                                  .example = "plumb train examples/tiny.toml --out runs/tiny",
//                                  .words = {{.name = "CONFIG", .help = "a TOML file"}}, .options = {...}, .run = run});
// Errors are exceptions: UserError and Bug leave with 1, UsageError with 2, Interrupted with 130.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/errors.h"

namespace plumb::cli {

class UsageError : public UserError {
 public:
  using UserError::UserError;
};

// What every command understands. Zero and empty stand for "not given".
struct CommonFlags {
  std::string out;                   // --out DIR
  int threads = 0, jobs = 0;         // --threads N (already applied), --jobs N
  std::string device;                // --device cpu|cuda
  std::vector<std::string> set;      // --set KEY=VALUE, repeatable, in order
  std::vector<std::string> plugins;  // --plugin FILE, repeatable (already loaded)
  bool json = false, dry_run = false, quiet = false;
};

// Names are those declared in the Command; another one is a Bug.
class Arguments {
 public:
  CommonFlags common;

  std::string word(const std::string& name) const;                // of a word; empty when optional and absent
  std::vector<std::string> words(const std::string& name) const;  // of a word with `many`
  bool has(const std::string& option) const;                      // "--name" was given
  std::string text(const std::string& option, const std::string& otherwise = {}) const;
  std::int64_t integer(const std::string& option, std::int64_t otherwise) const;  // UsageError when it is none
  double number(const std::string& option, double otherwise) const;
  std::vector<std::string> texts(const std::string& option) const;  // of one that is repeatable

  std::map<std::string, std::vector<std::string>> given;  // by "NAME" or "--name"; declared ones are always there
 private:
  const std::vector<std::string>& values(const std::string& name) const;
};

struct Word {
  std::string name, help;
  bool optional = false, many = false;  // only the last may be either
};

struct Option {
  std::string flag, value, help;  // "--tokens", "N", "how many to show"; without a value it is a switch
  bool repeatable = false;
};

enum class Group { runs, results, studies, objectives, data, machine };

struct Command {
  std::string name;
  Group group = Group::runs;
  std::string help, example;
  std::vector<Word> words = {};
  std::vector<Option> options = {};
  std::vector<std::string> without = {};  // common options that mean nothing here, and are refused: "--jobs"
  int (*run)(const Arguments&) = nullptr;
};

struct Registration {
  explicit Registration(Command command);
};

const std::vector<Command>& commands();  // by group, then name

// The whole of `plumb`: parses, runs, turns exceptions into messages on stderr (and, with --json, into an object on
// stdout) and exit codes.
int run_command_line(int argc, const char* const* argv);

}  // namespace plumb::cli
