// Text to tokens and back. A tokenizer is named by data.tokenizer: "bytes", or the path of a SentencePiece model.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual std::int64_t vocab() const = 0;
  virtual bool takes_any_bytes() const = 0;  // false: the text must be UTF-8
  // Safe to call from several threads.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  virtual std::string decode(std::span<const std::int64_t> tokens) const = 0;
  virtual std::string describe() const = 0;
  virtual std::string digest() const = 0;  // equal digests give equal tokens
};

std::unique_ptr<Tokenizer> make_byte_tokenizer();
std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(const std::string& path);

// By name: "bytes" or a path that ends in .model.
std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name);

}  // namespace plumb
