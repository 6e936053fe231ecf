// The few system calls that files rest on: errors in words, and a seam where a test makes the n-th call fail or the
// process die (PLUMB_FAULT=write:3, fsync:2:always, rename:1:kill; a write that fails leaves half its bytes behind).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace plumb::files {

using Path = std::filesystem::path;
using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// An open file descriptor, closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Each throws UserError (what failed, the path, the system's reason, a way out).
Fd open_file(const Path& path, int flags);
void write_at(const Fd& fd, const Path& path, Bytes bytes, std::uint64_t offset);
void sync_file(const Fd& fd, const Path& path);
void rename_file(const Path& from, const Path& to);
void sync_folder(const Path& folder);
std::uint64_t size_of_file(const Fd& fd, const Path& path);
void make_folders(const Path& folder);
[[noreturn]] void io_error(std::string_view what, const Path& path, int error);

// The seam. Faults count calls from the moment they are set; only tests and `plumb check` set them.
enum class Op { open, write, fsync, rename };
struct Fault {
  enum class Kind { once, always, kill };
  Op op = Op::write;
  int nth = 1;
  Kind kind = Kind::once;
};
void set_fault(std::optional<Fault> fault);
Fault parse_fault(std::string_view text);  // "write:3", "fsync:2:always", "rename:1:kill"
int calls(Op op);                          // since the last set_fault

}  // namespace plumb::files
