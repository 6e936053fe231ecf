// The byte tokenizer, and the choice by name.
#include "lab/data/tokenizer.h"

#include "core/errors.h"

namespace plumb {
namespace {

class ByteTokenizer final : public Tokenizer {
 public:
  std::int64_t vocab() const override { return 256; }
  bool takes_any_bytes() const override { return true; }
  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> tokens;
    tokens.reserve(text.size());
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
  }
  std::string decode(std::span<const std::int64_t> tokens) const override {
    std::string text;
    for (const auto t : tokens) {
      if (t < 0 || t > 255) fail("decode", "{} is no byte.", t);
      text += static_cast<char>(t);
    }
    return text;
  }
  std::string describe() const override { return "bytes (vocabulary 256)"; }
  std::string digest() const override { return "bytes"; }
};

}  // namespace

std::unique_ptr<Tokenizer> make_byte_tokenizer() { return std::make_unique<ByteTokenizer>(); }

std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name) {
  if (name == "bytes") return make_byte_tokenizer();
  if (name.ends_with(".model")) return make_sentencepiece_tokenizer(name);
  throw UserError(fmt::format("there is no tokenizer \"{}\"", name), "data.tokenizer",
                  "\"bytes\", or the path of a SentencePiece model (it ends in .model)");
}

}  // namespace plumb
