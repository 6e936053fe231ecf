// Spawned, never forked alone: the parent has threads.
#include "lab/check/child.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "core/errors.h"
#include "core/files/atomic_file.h"

extern char** environ;

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (auto& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

constexpr const char* small_run = R"([run]
steps = 200
eval_every = 50
eval_rows = 8
[model]
width = 32
context = 31
[train]
batch = 8
[checkpoint]
every = 10
keep_last = 3
)";

}  // namespace

pid_t spawn(const std::vector<std::string>& command, const std::vector<std::string>& variables) {
  std::vector<std::string> words = command, settings = variables;
  for (char** v = environ; *v; ++v) {
    const std::string setting = *v, name = setting.substr(0, setting.find('=') + 1);
    if (std::ranges::none_of(variables, [&](const auto& s) { return s.starts_with(name); }))
      settings.push_back(setting);
  }
  const auto argv = pointers(words), envp = pointers(settings);
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0);
  posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
  pid_t child = 0;
  const int error = posix_spawn(&child, argv[0], &quiet, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&quiet);
  if (error) throw UserError(fmt::format("cannot start {}", command[0]), "check", "give the path of plumb");
  return child;
}

int wait_for(pid_t child, double seconds) {
  const auto code = [](int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); };
  int status = 0;
  const double step = 0.002;
  for (double waited = 0; seconds == 0 || waited < seconds; waited += step) {
    if (waitpid(child, &status, WNOHANG) == child) return code(status);
    usleep(static_cast<useconds_t>(step * 1e6));
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return code(status);
}

bool finish(pid_t child, double seconds) { return wait_for(child, seconds) == 0; }

std::string plumb_of(const CheckOptions& o) {
  return o.plumb.empty() ? fs::read_symlink("/proc/self/exe").string() : o.plumb;
}

Workplace::Workplace(const CheckOptions& o)
    : folder_(o.scratch.empty() ? fs::temp_directory_path() / fmt::format("plumb-check-{}", getpid())
                                : fs::path(o.scratch)) {
  fs::create_directories(folder_);
  files::write_atomically(config(), small_run);
}

Workplace::~Workplace() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace plumb::lab
