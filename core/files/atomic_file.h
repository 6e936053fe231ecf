// Whole files, written atomically and read with a cap: at every moment a reader sees the old file or the new one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/system.h"

namespace plumb::files {

// Writes a temporary beside `path`, flushes it, renames it over `path`, flushes the folder. When anything fails, throws
// UserError, leaves what stood at `path` as it was, and no temporary. The parts are written one after the other.
void write_atomically(const Path& path, const std::vector<Bytes>& parts);
void write_atomically(const Path& path, std::string_view text);

// Removes temporaries left by processes that died while writing; those still being written are left alone. Returns how
// many.
int remove_stale_temporaries(const Path& folder);

// A read-only view of a whole file. A file larger than `cap` bytes is an error.
class MappedFile {
 public:
  explicit MappedFile(const Path& path, std::uint64_t cap = std::uint64_t{1} << 40);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Bytes bytes() const { return bytes_; }
  void release() const;  // the memory of pages read so far; they are read from the file again when asked for

 private:
  Bytes bytes_;
};

// The text of a file of at most `cap` bytes.
std::string read_text(const Path& path, std::uint64_t cap = std::uint64_t{64} << 20);

}  // namespace plumb::files
