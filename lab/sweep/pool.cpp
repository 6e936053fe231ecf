// Spawned, never forked alone: the parent has threads. A child asks the system to end it with its parent (lab/main.cpp).
#include "lab/sweep/pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "core/files/system.h"
#include "lab/signals.h"

extern char** environ;

namespace plumb::lab {
namespace {

// This environment, with what concerns the threads of a child among other children replaced.
std::vector<std::string> child_environment() {
  std::vector<std::string> settings{fmt::format("PLUMB_PARENT={}", getpid()), "GOMP_SPINCOUNT=1000"};
  for (char** v = environ; *v; ++v) {
    const std::string setting = *v;
    if (!setting.starts_with("PLUMB_PARENT=") && !setting.starts_with("GOMP_SPINCOUNT=") &&
        !setting.starts_with("OMP_"))
      settings.push_back(setting);
  }
  return settings;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (auto& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

pid_t start(const Job& job) {
  std::vector<std::string> words = job.command, settings = child_environment();
  const auto argv = pointers(words), envp = pointers(settings);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, 2, job.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setpgroup(&attributes, 0);  // Ctrl-C reaches this process alone, which then ends them in order
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t child = 0;
  const int error = posix_spawn(&child, argv[0], &files, &attributes, argv.data(), envp.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error) files::io_error("cannot start a member of the sweep", job.log, error);
  return child;
}

class Pool {
 public:
  explicit Pool(const PoolWork& work) : work_(work) {}
  ~Pool() {  // an exception left children behind
    for (const auto& [child, job] : running_) kill(child, SIGTERM);
    for (const auto& [child, job] : running_) waitpid(child, nullptr, 0);
  }

  bool run(std::size_t at_once) {
    for (bool more = true; more || !running_.empty();) {
      if (stop_requested()) return stop();
      std::size_t index = 0;
      Job job;
      while (more && running_.size() < at_once && (more = work_.next(index, job))) running_[start(job)] = index;
      if (!collect()) pause();
    }
    return true;
  }

 private:
  // Takes one child that has ended; false where none has.
  bool collect() {
    for (auto it = running_.begin(); it != running_.end(); ++it) {
      int status = 0;
      if (waitpid(it->first, &status, WNOHANG) != it->first) continue;
      const JobEnd end{it->second, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
      running_.erase(it);
      work_.ended(end);
      return true;
    }
    return false;
  }

  void pause() {
    work_.waiting(running_.size());
    usleep(5000);
  }

  bool stop() {
    for (const auto& [child, job] : running_) kill(child, SIGTERM);
    while (!running_.empty())
      if (!collect()) pause();
    return false;
  }

  const PoolWork& work_;
  std::map<pid_t, std::size_t> running_;
};

}  // namespace

bool run_pool(std::size_t at_once, const PoolWork& work) { return Pool(work).run(at_once); }

}  // namespace plumb::lab
