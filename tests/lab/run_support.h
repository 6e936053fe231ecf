// Runs for tests: one that takes a fraction of a second, and the command line inside this process or as a child.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/files/atomic_file.h"
#include "lab/check/small_run.h"
#include "lab/cli/command.h"
#include "lab/config/read.h"
#include "lab/run/run_loop.h"
#include "lab/run/summary.h"
#include "tests/files_support.h"

namespace plumb::lab::test {

using plumb::test::error_of;
using plumb::test::Folder;

inline RunConfig tiny_config(std::int64_t steps = 12) {
  RunConfig c = smallest_config();
  c.run.steps = steps;
  c.run.eval_every = 4;
  c.data.copy_language = {.length = 8};
  c.model.width = 8;
  c.model.heads = 2;
  c.model.context = 7;
  c.optim.rule = optim::Rule::adamw;
  c.checkpoint.every = 3;
  c.checkpoint.keep_last = 3;
  return c;
}

inline RunOutcome start(const RunConfig& config, const files::Path& folder, const std::string& from = {}) {
  return start_run(config, {.folder = folder.string(), .from = from, .quiet = true});
}
inline RunOutcome resume(const files::Path& folder) { return resume_run({.folder = folder.string(), .quiet = true}); }

inline void expect_equal_runs(const files::Path& a, const files::Path& b) {
  const Difference d = compare_runs(a.string(), b.string());
  EXPECT_TRUE(d.equal()) << (d.config.empty() ? "" : d.config[0]) << d.metrics.value_or("") << d.tensors.value_or("");
}

struct Ran {
  int code;
  std::string out, err;
};

// `plumb WORDS` inside this process.
inline Ran plumb(const std::vector<std::string>& words) {
  std::vector<const char*> argv{"plumb"};
  for (const auto& w : words) argv.push_back(w.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = cli::run_command_line(static_cast<int>(argv.size()), argv.data());
  std::string out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

// `plumb WORDS` as a process of its own, both of its outputs in a file.
class Child {
 public:
  Child(std::vector<std::string> words, const files::Path& output) {
    words.insert(words.begin(), PLUMB_BINARY_DIR "/plumb");
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, output.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    if (posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), environ) != 0) throw Bug("plumb cannot be started");
    posix_spawn_file_actions_destroy(&files);
  }
  ~Child() {
    if (pid_) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void send(int signal) const { kill(pid_, signal); }
  // Its exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
};

}  // namespace plumb::lab::test
