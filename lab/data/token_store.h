// A long sequence of tokens in read-only mapped memory, so that a text of a gigabyte costs none: the files themselves
// for bytes, a file of 16 or 32 bit tokens for any other tokenizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/files/atomic_file.h"
#include "lab/data/tokenizer.h"

namespace plumb {

enum class InvalidUtf8 { error, replace };

// The files that paths and patterns (*, ?, [...]) name, those of a pattern in alphabetical order.
std::vector<std::string> expand_paths(const std::vector<std::string>& patterns);

class TokenStore {
 public:
  TokenStore() = default;
  // The files one after the other. `cache_folder` keeps the tokens under the digest of texts and tokenizer; without one
  // they live in a temporary file as long as the store.
  TokenStore(const std::vector<std::string>& paths, const Tokenizer& tokenizer, InvalidUtf8 policy,
             const std::string& cache_folder);

  std::int64_t size() const { return starts_.back(); }
  void read(std::int64_t begin, std::int64_t count, std::int64_t* out) const;  // within [0, size())
  std::string digest() const;                                                  // of the texts

 private:
  void add(files::Bytes bytes, int width);
  struct Part {
    const std::byte* data;
    int width;  // bytes of a token
  };
  std::vector<files::MappedFile> texts_;
  std::optional<files::MappedFile> tokens_;
  std::vector<Part> parts_;
  std::vector<std::int64_t> starts_{0};  // of each part, then the end
};

}  // namespace plumb
