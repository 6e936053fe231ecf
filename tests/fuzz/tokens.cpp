// The file of tokens that a cache holds: whatever stands there, the tokens of the text are read; a file that is damaged
// is made again. Magic, count and digest are put right.
#include <fcntl.h>

#include <cstring>

#include "core/files/atomic_file.h"
#include "core/files/digest.h"
#include "lab/data/token_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lab/text_support.h"

namespace plumb::fuzz {
namespace {

// A text, its tokenizer, and the one file of their cache.
struct Sound {
  std::string text = "to be or not to be\n";
  std::unique_ptr<Tokenizer> tokenizer;
  files::Path cache = folder() / "cache", file;
  std::string bytes;

  Sound() {
    const files::Path model = folder() / "tiny.model";
    files::write_atomically(model, testing_support::tiny_sentencepiece_model({{"\xe2\x96\x81to", -1}, {"be", -2}}));
    tokenizer = make_tokenizer(model.string());
    open();
    file = std::filesystem::directory_iterator(cache)->path();
    bytes = files::read_text(file);
  }
  files::MappedFile open() const {
    return open_token_file({{"text", text}}, *tokenizer, 2, InvalidUtf8::error, cache.string());
  }
};

const Sound& sound() {
  static const Sound s;
  return s;
}

}  // namespace

void mend(std::string& file) {
  if (file.size() < token_header_bytes) return;
  const std::string payload = file.substr(token_header_bytes);
  const std::uint32_t version = 1, width = 2;
  const std::uint64_t count = payload.size() / width;
  std::memcpy(&file[0], "PLUMBTOK", 8);
  std::memcpy(&file[8], &version, 4);
  std::memcpy(&file[12], &width, 4);
  std::memcpy(&file[16], &count, 8);
  files::digest(payload).copy(&file[24], 32);
}

void fuzz(std::string_view input) {
  const int fd = ::open(sound().file.c_str(), O_WRONLY | O_TRUNC);
  files::write_at(files::Fd(fd), sound().file, files::as_bytes(input), 0);
  const files::MappedFile opened = sound().open();
  const auto found = files::as_text(opened.bytes());
  PLUMB_ASSERT(found.size() >= token_header_bytes);
  PLUMB_ASSERT(found == input || found == sound().bytes);  // taken as it is, or made again
}

std::vector<std::string> seeds() { return {sound().bytes, sound().bytes.substr(0, token_header_bytes)}; }

}  // namespace plumb::fuzz
