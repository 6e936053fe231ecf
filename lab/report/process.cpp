// Spawned with files in memory for input, output and errors: nothing can fill up and wait for the other side.
#include "lab/report/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/errors.h"
#include "core/files/system.h"

extern char** environ;

namespace plumb::report {
namespace {

files::Fd memory_file(const std::string& program) {
  const int fd = memfd_create("plumb", MFD_CLOEXEC);
  if (fd < 0) files::io_error("cannot make a file in memory", program, errno);
  return files::Fd(fd);
}

std::string content_of(const files::Fd& fd) {
  std::string text(files::size_of_file(fd, "memory"), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t n = pread(fd.get(), text.data() + have, text.size() - have, static_cast<off_t>(have));
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  text.resize(have);
  return text;
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& command, std::string_view input) {
  const std::string& program = command.at(0);
  const files::Fd in = memory_file(program), out = memory_file(program), err = memory_file(program);
  files::write_at(in, program, files::as_bytes(input), 0);

  std::vector<char*> arguments, environment;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::string locale = "LC_ALL=C.UTF-8";  // the first of a name counts: decimal points, whatever the user's language
  environment.push_back(locale.data());
  for (char** variable = environ; *variable; ++variable) environment.push_back(*variable);
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.get(), 2);
  pid_t child = -1;
  const int error = posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {.status = 127, .out = {}, .err = program + " cannot be started"};

  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return {.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
          .out = content_of(out),
          .err = content_of(err)};
}

}  // namespace plumb::report
