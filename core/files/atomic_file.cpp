// Atomic writes. A temporary is locked (flock) by its writer, so a cleaner knows the dead from the living.
#include "core/files/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "core/errors.h"

namespace plumb::files {
namespace {

constexpr std::string_view temporary_ending = ".plumb-tmp";

bool lock_now(const Fd& fd) { return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0; }

bool still_linked(const Fd& fd) {
  struct stat info {};
  ::fstat(fd.get(), &info);
  return info.st_nlink > 0;
}

// A locked file of a new name beside the target; unlinked unless it was renamed away.
class Temporary {
 public:
  explicit Temporary(const Path& target) {
    static std::atomic<unsigned> serial{0};
    for (int attempt = 0; attempt < 1000; ++attempt) {
      // Not by replace_filename, which leaves a broken path behind when memory runs out (libstdc++ 12).
      path_ = target.parent_path() /
              fmt::format(".{}.{}-{}{}", target.filename().string(), ::getpid(), serial++, temporary_ending);
      std::error_code ignored;
      if (std::filesystem::exists(path_, ignored)) continue;  // a process of the same number in another container
      fd_ = open_file(path_, O_RDWR | O_CREAT | O_EXCL);
      if (lock_now(fd_) && still_linked(fd_)) return;  // else a cleaner took it between the two calls
    }
    throw UserError("cannot make a temporary file", target.string());
  }
  ~Temporary() {
    if (!placed_) remove_file(path_);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void write(Bytes bytes) {
    write_at(fd_, path_, bytes, size_);
    size_ += bytes.size();
  }
  void place(const Path& target) {
    sync_file(fd_, path_);
    rename_file(path_, target);
    placed_ = true;
  }

 private:
  Path path_;
  Fd fd_;
  std::uint64_t size_ = 0;
  bool placed_ = false;
};

}  // namespace

void write_atomically(const Path& path, const std::vector<Bytes>& parts) {
  Temporary temporary(path);
  for (const Bytes part : parts) temporary.write(part);
  temporary.place(path);
  sync_folder(path.parent_path());
}

void write_atomically(const Path& path, std::string_view text) {
  write_atomically(path, std::vector<Bytes>{as_bytes(text)});
}

int remove_stale_temporaries(const Path& folder) {
  int removed = 0;
  for (const auto& name : names_in(folder)) {
    if (!name.starts_with('.') || !name.ends_with(temporary_ending)) continue;
    const Path path = folder / name;
    const Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (fd && lock_now(fd) && remove_file(path)) ++removed;
  }
  return removed;
}

MappedFile::MappedFile(const Path& path, std::uint64_t cap) {
  const Fd fd = open_file(path, O_RDONLY);
  const std::uint64_t size = size_of_file(fd, path);
  if (size > cap) {
    throw UserError(fmt::format("the file has {} bytes, more than the {} that are read here", size, cap),
                    path.string());
  }
  if (size == 0) return;
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) io_error("cannot map the file into memory", path, errno);
  bytes_ = Bytes(static_cast<const std::byte*>(data), size);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release() const {
  if (!bytes_.empty()) ::madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
}

std::string read_text(const Path& path, std::uint64_t cap) {
  return std::string(as_text(MappedFile(path, cap).bytes()));
}

}  // namespace plumb::files
