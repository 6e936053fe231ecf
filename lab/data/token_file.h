// The tokens of texts as one file: a header, then little-endian integers of 2 or 4 bytes. Made once for each pair of
// texts and tokenizer, and found again by their digest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/files/atomic_file.h"
#include "lab/data/token_store.h"

namespace plumb {

inline constexpr std::size_t token_header_bytes = 64;

struct NamedText {
  std::string path;
  std::string_view text;
};

// Maps the token file of `texts`, which is made where none is found in `cache_folder` or the one found is damaged.
files::MappedFile open_token_file(const std::vector<NamedText>& texts, const Tokenizer& tokenizer, int width,
                                  InvalidUtf8 policy, const std::string& cache_folder);

// Where a text may be cut before it is tokenised: at the first end of line after 64 KiB, or, without one, after at most
// 1 MiB between two characters. Part of what the tokens mean, so fixed.
std::size_t chunk_length(std::string_view text);

}  // namespace plumb
