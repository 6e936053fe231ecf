// System calls with errors in words.
#include "core/files/system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace plumb::files {
namespace {

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

// A system call, once more when a signal came between.
template <class Call>
auto uninterrupted(const Call& call) {
  for (;;)
    if (const auto result = call(); result >= 0 || errno != EINTR) return result;
}

void write_all(const Fd& fd, const Path& path, Bytes bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    errno = ENOSPC;  // stands when nothing is written and nothing is said
    const ssize_t n =
        uninterrupted([&] { return ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (n <= 0) io_error("cannot write", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

void io_error(std::string_view what, const Path& path, int error) {
  throw IoError(fmt::format("{}: {}", what, std::generic_category().message(error)), path.string(), hint_for(error));
}

Fd open_file(const Path& path, int flags) {
  const FaultyCall call(Op::open, path);
  if (call.breaks_off()) io_error("cannot open", path, EMFILE);
  Fd fd(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); }));
  if (!fd) io_error("cannot open", path, errno);
  return fd;
}

void write_at(const Fd& fd, const Path& path, Bytes bytes, std::uint64_t offset) {
  const FaultyCall call(Op::write, path);
  const std::size_t middle = call.bytes_before_the_middle(bytes.size());
  write_all(fd, path, bytes.first(middle), offset);
  if (call.breaks_off()) io_error("cannot write", path, ENOSPC);
  write_all(fd, path, bytes.subspan(middle), offset + middle);
}

void sync_file(const Fd& fd, const Path& path) {
  const FaultyCall call(Op::fsync, path);
  if (call.breaks_off()) io_error("cannot flush to the disk", path, EIO);
  // The last two: a file system without fsync, such as some network folders.
  constexpr std::array fine{0, EINVAL, ENOTSUP};
  const int error = uninterrupted([&] { return ::fsync(fd.get()); }) == 0 ? 0 : errno;
  if (std::ranges::count(fine, error) == 0) io_error("cannot flush to the disk", path, error);
}

void truncate_file(const Fd& fd, const Path& path, std::uint64_t size) {
  const FaultyCall call(Op::truncate, path);
  if (call.breaks_off()) io_error("cannot shorten the file", path, EIO);
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) io_error("cannot shorten the file", path, errno);
}

void rename_file(const Path& from, const Path& to) {
  const FaultyCall call(Op::rename, to);
  if (call.breaks_off()) io_error("cannot put the file in its place", to, EIO);
  if (::rename(from.c_str(), to.c_str()) != 0) io_error("cannot put the file in its place", to, errno);
}

std::vector<std::string> names_in(const Path& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.empty() ? "." : folder.c_str()), ::closedir);
  std::vector<std::string> names;
  if (!open && (errno == ENOENT || errno == ENOTDIR)) return names;
  if (!open) io_error("cannot list the folder", folder, errno);  // never taken for an empty one
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool remove_file(const Path& path) noexcept {
  const FaultyCall call(Op::remove, path);
  return !call.breaks_off() && ::unlink(path.c_str()) == 0;
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

}  // namespace plumb::files
