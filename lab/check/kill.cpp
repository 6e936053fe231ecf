// Kill and resume: a child process is killed at random moments until it gets through, then compared.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "core/random.h"
#include "lab/check/check.h"
#include "lab/run/summary.h"

extern char** environ;

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

pid_t spawn(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0);
  posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
  pid_t child = 0;
  const int error = posix_spawn(&child, argv[0], &quiet, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&quiet);
  if (error) throw UserError(fmt::format("cannot start {}", command[0]), "check", "give the path of plumb");
  return child;
}

// Waits for the child, killing it after `seconds` (0 = never). True when it ended by itself with success.
bool finish(pid_t child, double seconds) {
  int status = 0;
  const double step = 0.002;
  for (double waited = 0; seconds == 0 || waited < seconds; waited += step) {
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    usleep(static_cast<useconds_t>(step * 1e6));
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return false;
}

}  // namespace

CheckResult check_kill(const CheckOptions& o) {
  CheckResult r{.name = "kill", .unit = "kills survived", .failure = {}};
  const std::string plumb = o.plumb.empty() ? fs::read_symlink("/proc/self/exe").string() : o.plumb;
  const fs::path folder =
      o.scratch.empty() ? fs::temp_directory_path() / fmt::format("plumb-check-{}", getpid()) : fs::path(o.scratch);
  fs::create_directories(folder);
  const std::string config = (folder / "run.toml").string(), calm = (folder / "calm").string(),
                    hunted = (folder / "hunted").string();
  if (std::FILE* f = std::fopen(config.c_str(), "w")) {
    fmt::print(f,
               "[run]\nsteps = 200\neval_every = 50\neval_rows = 8\n[model]\nwidth = 32\ncontext = 31\n[train]\nbatch "
               "= 8\n[checkpoint]\nevery = 10\nkeep_last = 3\n");
    std::fclose(f);
  }
  const std::vector<std::string> start{plumb, "train", config, "--quiet", "--threads", "1", "--out"};
  const auto with = [](std::vector<std::string> words, const std::string& last) {
    words.push_back(last);
    return words;
  };
  if (!finish(spawn(with(start, calm)), 0))
    throw UserError("the undisturbed run failed", "check kill", fmt::format("{} train {}", plumb, config));
  const std::int64_t kills = o.full ? 1000 : 20;
  std::int64_t done = 0;
  for (std::uint64_t i = 0; done < kills; ++i) {
    // From before the first write to deep in the run. A run that was killed before it existed is started again.
    const double patience = 0.002 + 0.25 * Key(11).at("kill").uniform_at(i);
    const bool exists = fs::exists(fs::path(hunted) / "journal");
    if (!exists) fs::remove_all(hunted);
    const bool finished =
        finish(spawn(exists ? std::vector<std::string>{plumb, "resume", hunted, "--quiet", "--threads", "1"}
                            : with(start, hunted)),
               patience);
    if (!finished) {
      ++done;
      continue;
    }
    const Difference d = compare_runs(calm, hunted);
    if (!d.equal() && r.failure.empty())
      r.failure = d.tensors.value_or(d.metrics.value_or("the configuration differs"));
    fs::remove_all(hunted);  // through alive: hunt the next one
  }
  if (fs::exists(fs::path(hunted) / "journal"))
    finish(spawn({plumb, "resume", hunted, "--quiet", "--threads", "1"}), 0);
  else finish(spawn(with(start, hunted)), 0);
  const Difference d = compare_runs(calm, hunted);
  if (!d.equal() && r.failure.empty()) r.failure = d.tensors.value_or(d.metrics.value_or("the configuration differs"));
  r.tried = kills;
  r.passed = r.failure.empty() ? kills : 0;
  fs::remove_all(folder);
  return r;
}

}  // namespace plumb::lab
