// The few system calls that files rest on: errors in words, and every one of them may meet a fault (faults.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/errors.h"
#include "core/files/faults.h"

namespace plumb::files {

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

// The system refused: that says nothing about what is in the file.
class IoError : public UserError {
 public:
  using UserError::UserError;
};
[[noreturn]] void io_error(std::string_view what, const Path& path, int error);

// Each throws IoError (what failed, the path, the system's reason, a way out).
Fd open_file(const Path& path, int flags);
void write_at(const Fd& fd, const Path& path, Bytes bytes, std::uint64_t offset);
void sync_file(const Fd& fd, const Path& path);
void truncate_file(const Fd& fd, const Path& path, std::uint64_t size);
void rename_file(const Path& from, const Path& to);
void sync_folder(const Path& folder);
std::uint64_t size_of_file(const Fd& fd, const Path& path);
void make_folders(const Path& folder);

// What is in a folder, by name; nothing where there is no folder. (The iterator of the standard library ends the process
// when memory runs out.)
std::vector<std::string> names_in(const Path& folder);
bool remove_file(const Path& path) noexcept;  // false when it is still there

}  // namespace plumb::files
