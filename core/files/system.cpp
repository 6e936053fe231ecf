// System calls with errors in words and injected faults.
#include "core/files/system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include "core/errors.h"

namespace plumb::files {
namespace {

constexpr std::array<std::string_view, 4> op_names{"open", "write", "fsync", "rename"};
std::array<std::atomic<int>, 4> counts{};

std::optional<Fault>& armed() {
  static std::optional<Fault> fault = [] {
    const char* text = std::getenv("PLUMB_FAULT");
    return text && *text ? std::optional(parse_fault(text)) : std::nullopt;
  }();
  return fault;
}

// Counts the call, and says whether it is the one to fail.
bool fails_now(Op op) {
  const int n = ++counts[static_cast<std::size_t>(op)];
  const auto& fault = armed();
  if (!fault || fault->op != op) return false;
  return fault->kind == Fault::Kind::always ? n >= fault->nth : n == fault->nth;
}

void die_if_asked() {
  if (armed()->kind == Fault::Kind::kill) raise(SIGKILL);
}

std::string hint_for(int error) {
  switch (error) {
    case ENOSPC: return "the disk is full: free some space, or choose another folder with --out";
    case EDQUOT: return "your disk quota is used up: free some space, or choose another folder with --out";
    case EACCES:
    case EPERM: return "check the permissions of the file and of its folder";
    case EROFS: return "the file system is read-only: choose another folder with --out";
    case ENOENT: return "check the path: the file or its folder does not exist";
    case EISDIR: return "this is a folder where a file is meant";
    case ENOTDIR: return "a part of the path is a file where a folder is meant";
    case EMFILE: return "too many open files: raise the limit with `ulimit -n`";
    case EIO: return "the device reports an error: check the disk, then resume from the last checkpoint";
    default: return "";
  }
}

// Writes what one call takes; retries when a signal came between.
std::size_t write_some(const Fd& fd, const Path& path, Bytes bytes, std::uint64_t offset) {
  for (;;) {
    const ssize_t n = ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n > 0) return static_cast<std::size_t>(n);
    if (n == 0) io_error("cannot write", path, ENOSPC);
    if (errno != EINTR) io_error("cannot write", path, errno);
  }
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

void io_error(std::string_view what, const Path& path, int error) {
  throw UserError(fmt::format("{}: {}", what, std::generic_category().message(error)), path.string(), hint_for(error));
}

Fd open_file(const Path& path, int flags) {
  if (fails_now(Op::open)) {
    die_if_asked();
    io_error("cannot open", path, EMFILE);
  }
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (fd >= 0) return Fd(fd);
    if (errno != EINTR) io_error("cannot open", path, errno);
  }
}

void write_at(const Fd& fd, const Path& path, Bytes bytes, std::uint64_t offset) {
  const bool fault = fails_now(Op::write);
  if (fault) bytes = bytes.first(bytes.size() / 2);
  while (!bytes.empty()) {
    const std::size_t n = write_some(fd, path, bytes, offset);
    bytes = bytes.subspan(n);
    offset += n;
  }
  if (!fault) return;
  die_if_asked();
  io_error("cannot write", path, ENOSPC);
}

void sync_file(const Fd& fd, const Path& path) {
  if (fails_now(Op::fsync)) {
    die_if_asked();
    io_error("cannot flush to the disk", path, EIO);
  }
  while (::fsync(fd.get()) != 0) {
    if (errno == EINVAL || errno == ENOTSUP) return;  // a file system without fsync, such as some network folders
    if (errno != EINTR) io_error("cannot flush to the disk", path, errno);
  }
}

void rename_file(const Path& from, const Path& to) {
  if (fails_now(Op::rename)) {
    die_if_asked();
    io_error("cannot put the file in its place", to, EIO);
  }
  if (::rename(from.c_str(), to.c_str()) != 0) io_error("cannot put the file in its place", to, errno);
}

void sync_folder(const Path& folder) {
  const Path path = folder.empty() ? Path(".") : folder;
  sync_file(open_file(path, O_RDONLY | O_DIRECTORY), path);
}

std::uint64_t size_of_file(const Fd& fd, const Path& path) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) io_error("cannot read the size", path, errno);
  if (!S_ISREG(info.st_mode)) throw UserError("this is not a regular file", path.string());
  return static_cast<std::uint64_t>(info.st_size);
}

void make_folders(const Path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) io_error("cannot make the folder", folder, error.value());
}

void set_fault(std::optional<Fault> fault) {
  armed() = fault;
  for (auto& count : counts) count = 0;
}

Fault parse_fault(std::string_view text) {
  const auto bad = [&] {
    return UserError(fmt::format("fault '{}' is not understood", text), "PLUMB_FAULT",
                     "write OP:N or OP:N:always or OP:N:kill, where OP is open, write, fsync or rename");
  };
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) throw bad();
  Fault fault;
  const auto name = std::find(op_names.begin(), op_names.end(), text.substr(0, colon));
  if (name == op_names.end()) throw bad();
  fault.op = static_cast<Op>(name - op_names.begin());
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, fault.nth);
  const std::string_view kind(rest, static_cast<std::size_t>(end - rest));
  if (error != std::errc() || fault.nth < 1) throw bad();
  if (kind == ":always") {
    fault.kind = Fault::Kind::always;
  } else if (kind == ":kill") {
    fault.kind = Fault::Kind::kill;
  } else if (!kind.empty() && kind != ":once") {
    throw bad();
  }
  return fault;
}

int calls(Op op) { return counts[static_cast<std::size_t>(op)]; }

}  // namespace plumb::files
