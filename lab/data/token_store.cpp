// Paths, and reading windows across files.
#include "lab/data/token_store.h"

#include <glob.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/errors.h"
#include "core/files/digest.h"
#include "lab/data/token_file.h"

namespace plumb {
namespace {

std::vector<std::string> matches(const std::string& pattern) {
  glob_t found{};
  const int failed = ::glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + (failed ? 0 : found.gl_pathc));
  ::globfree(&found);
  std::erase_if(paths, [](const std::string& p) { return std::filesystem::is_directory(p); });
  if (paths.empty())
    throw UserError("no file matches", pattern, "paths are relative to the folder in which plumb runs");
  return paths;
}

template <class T>
void widen(const std::byte* data, std::int64_t begin, std::int64_t count, std::int64_t* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    T token;
    std::memcpy(&token, data + static_cast<std::size_t>(begin + i) * sizeof(T), sizeof(T));
    out[i] = static_cast<std::int64_t>(token);
  }
}

}  // namespace

std::vector<std::string> expand_paths(const std::vector<std::string>& patterns) {
  std::vector<std::string> paths;
  for (const auto& p : patterns) {
    std::error_code ignored;
    const auto status = std::filesystem::status(p, ignored);
    if (std::filesystem::is_directory(status))
      throw UserError("is a folder, not a text", p, fmt::format("name its files: \"{}/*.txt\"", p));
    if (std::filesystem::exists(status)) {
      paths.push_back(p);
    } else if (p.find_first_of("*?[") != std::string::npos) {
      const auto more = matches(p);
      paths.insert(paths.end(), more.begin(), more.end());
    } else {
      throw UserError("there is no such file", p, "paths are relative to the folder in which plumb runs");
    }
  }
  return paths;
}

TokenStore::TokenStore(const std::vector<std::string>& paths, const Tokenizer& tokenizer, InvalidUtf8 policy,
                       const std::string& cache_folder) {
  for (const auto& p : paths) texts_.emplace_back(p);
  if (tokenizer.takes_any_bytes()) {
    for (const auto& text : texts_) add(text.bytes(), 1);
    return;
  }
  std::vector<NamedText> named;
  for (std::size_t i = 0; i < paths.size(); ++i) named.push_back({paths[i], files::as_text(texts_[i].bytes())});
  const int width = tokenizer.vocab() <= 65536 ? 2 : 4;
  tokens_.emplace(open_token_file(named, tokenizer, width, policy, cache_folder));
  add(tokens_->bytes().subspan(token_header_bytes), width);
}

void TokenStore::add(files::Bytes bytes, int width) {
  parts_.push_back({bytes.data(), width});
  starts_.push_back(starts_.back() + static_cast<std::int64_t>(bytes.size()) / width);
}

void TokenStore::read(std::int64_t begin, std::int64_t count, std::int64_t* out) const {
  PLUMB_ASSERT(begin >= 0 && count >= 0 && begin + count <= size());
  auto part = static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin()) - 1;
  while (count > 0) {
    const auto here = std::min(count, starts_[part + 1] - begin), offset = begin - starts_[part];
    const auto& [data, width] = parts_[part];
    if (width == 1) widen<std::uint8_t>(data, offset, here, out);
    if (width == 2) widen<std::uint16_t>(data, offset, here, out);
    if (width == 4) widen<std::uint32_t>(data, offset, here, out);
    begin += here, count -= here, out += here, ++part;
  }
}

std::string TokenStore::digest() const {
  std::string all;
  for (const auto& text : texts_) all += files::digest(text);
  return files::digest(all);
}

}  // namespace plumb
