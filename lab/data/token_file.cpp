// Tokenises in parallel over chunks, in memory that does not grow with the text.
#include "lab/data/token_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/errors.h"
#include "core/files/digest.h"
#include "core/parallel.h"
#include "lab/data/utf8.h"

namespace plumb {
namespace {

constexpr std::uint32_t format_version = 1;

struct Header {
  char magic[8] = {'P', 'L', 'U', 'M', 'B', 'T', 'O', 'K'};
  std::uint32_t version = format_version, width = 0;
  std::uint64_t count = 0;
  char digest[32] = {};  // of the tokens
  std::uint64_t reserved = 0;
};
static_assert(sizeof(Header) == token_header_bytes);

void check_utf8(const NamedText& text) {
  const auto bad = first_invalid_utf8(text.text);
  if (!bad) return;
  const auto line = 1 + std::count(text.text.begin(), text.text.begin() + static_cast<std::ptrdiff_t>(*bad), '\n');
  throw UserError(fmt::format("is not UTF-8 at byte {} (line {})", *bad, line), text.path,
                  "data.invalid_utf8 = \"replace\" puts U+FFFD there; data.tokenizer = \"bytes\" takes any bytes");
}

std::vector<std::string_view> chunks_of(std::string_view text) {
  std::vector<std::string_view> chunks;
  while (!text.empty()) {
    const auto length = chunk_length(text);
    chunks.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return chunks;
}

// A file without a name that other processes can see, once it is mapped.
class Scratch {
 public:
  Scratch() {
    const char* folder = std::getenv("TMPDIR");
    std::string name = (files::Path(folder ? folder : "/tmp") / "plumb-tokens-XXXXXX").string();
    fd_ = files::Fd(::mkstemp(name.data()));
    path_ = name;
    if (!fd_) files::io_error("cannot make a temporary file", path_, errno);
  }
  ~Scratch() { ::unlink(path_.c_str()); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void write(files::Bytes bytes) {
    files::write_at(fd_, path_, bytes, size_);
    size_ += bytes.size();
  }
  const files::Path& path() const { return path_; }

 private:
  files::Path path_;
  files::Fd fd_;
  std::uint64_t size_ = 0;
};

template <class T>
void append(std::string& bytes, const std::vector<std::int32_t>& tokens) {
  for (const auto token : tokens) {
    const auto narrow = static_cast<T>(token);
    bytes.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
  }
}

void tokenise(const NamedText& text, const Tokenizer& tokenizer, int width, InvalidUtf8 policy, Scratch& out) {
  constexpr std::size_t at_once = 64;
  const auto chunks = chunks_of(text.text);
  for (std::size_t first = 0; first < chunks.size(); first += at_once) {
    const auto n = std::min(at_once, chunks.size() - first);
    std::vector<std::vector<std::int32_t>> tokens(n);
    parallel_for(static_cast<std::int64_t>(n), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        const auto chunk = chunks[first + i];
        tokens[i] =
            policy == InvalidUtf8::replace ? tokenizer.encode(replace_invalid_utf8(chunk)) : tokenizer.encode(chunk);
      }
    });
    std::string bytes;
    for (const auto& some : tokens)
      width == 2 ? append<std::uint16_t>(bytes, some) : append<std::uint32_t>(bytes, some);
    out.write(files::as_bytes(bytes));
  }
}

bool is_whole(const files::MappedFile& file, int width) {
  const auto bytes = file.bytes();
  Header h;
  if (bytes.size() < sizeof h) return false;
  std::memcpy(&h, bytes.data(), sizeof h);
  const auto payload = bytes.subspan(sizeof h);
  return std::memcmp(h.magic, Header().magic, sizeof h.magic) == 0 && h.version == format_version &&
         h.width == static_cast<std::uint32_t>(width) && payload.size() / h.width == h.count &&
         payload.size() % h.width == 0 && files::digest(payload) == std::string_view(h.digest, sizeof h.digest);
}

Header header_of(files::Bytes payload, int width) {
  Header h;
  h.width = static_cast<std::uint32_t>(width);
  h.count = payload.size() / h.width;
  files::digest(payload).copy(h.digest, sizeof h.digest);
  return h;
}

files::Path cache_path(const std::vector<NamedText>& texts, const Tokenizer& tokenizer, InvalidUtf8 policy,
                       const std::string& folder) {
  std::string key = fmt::format("{} {} {}\n", format_version, tokenizer.digest(), static_cast<int>(policy));
  for (const auto& t : texts) key += files::digest(t.text);
  return files::Path(folder) / fmt::format("tokens-{}.bin", files::digest(key));
}

}  // namespace

std::size_t chunk_length(std::string_view text) {
  constexpr std::size_t enough = 64 << 10, most = 1 << 20;
  if (text.size() <= enough) return text.size();
  const auto end_of_line = text.substr(0, most).find('\n', enough);
  if (end_of_line != std::string_view::npos) return end_of_line + 1;
  if (text.size() <= most) return text.size();
  std::size_t cut = most;
  for (int back = 0; back < 3 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80; ++back) --cut;
  return cut;
}

files::MappedFile open_token_file(const std::vector<NamedText>& texts, const Tokenizer& tokenizer, int width,
                                  InvalidUtf8 policy, const std::string& cache_folder) {
  files::Path kept;
  if (!cache_folder.empty()) {
    kept = cache_path(texts, tokenizer, policy, cache_folder);
    if (std::filesystem::is_regular_file(kept)) {
      if (files::MappedFile found(kept); is_whole(found, width)) return found;
    }
  }
  if (policy == InvalidUtf8::error)
    for (const auto& text : texts) check_utf8(text);
  Scratch scratch;
  const Header space;  // filled in below, where the file is to be kept
  scratch.write(std::as_bytes(std::span(&space, 1)));
  for (const auto& text : texts) tokenise(text, tokenizer, width, policy, scratch);
  files::MappedFile made(scratch.path());
  if (kept.empty()) return made;
  const auto payload = made.bytes().subspan(sizeof(Header));
  const Header header = header_of(payload, width);
  files::make_folders(cache_folder);
  files::write_atomically(kept, {std::as_bytes(std::span(&header, 1)), payload});
  return files::MappedFile(kept);
}

}  // namespace plumb
