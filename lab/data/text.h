// Text corpora as rows of tokens: any number of files, mapped, split into a training and a validation part.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/fields.h"
#include "core/random.h"
#include "lab/data/token_data.h"
#include "lab/data/token_store.h"

namespace plumb {

enum class DataOrder { shuffled, random };

struct TextOptions {
  std::vector<std::string> path = {}, validation_path = {};
  double validation_fraction = 0.1;
  std::string tokenizer = "bytes";
  InvalidUtf8 invalid_utf8 = InvalidUtf8::error;
  DataOrder order = DataOrder::shuffled;
  void fields(Fields& f) {
    f("path", path).required().help("text files or patterns such as \"books/*.txt\"");
    f("validation_path", validation_path).help("files for validation instead of a part of path");
    f("validation_fraction", validation_fraction)
        .at_least(0)
        .below(1)
        .help("the last part of the text, for validation");
    f("tokenizer", tokenizer).help("\"bytes\", or the path of a SentencePiece model");
    f("invalid_utf8", invalid_utf8).one_of({"error", "replace"}).help("for tokenizers that need UTF-8");
    f("order", order).one_of({"shuffled", "random"}).help("every window once an epoch, or windows drawn anywhere");
  }
};

class TextData final : public TokenData {
 public:
  // Tokens that had to be computed are kept in `cache_folder`; an empty one keeps nothing.
  TextData(const TextOptions& options, std::uint64_t run_seed, const std::string& cache_folder = {});

  std::int64_t vocab() const override { return tokenizer_->vocab(); }
  Tensor batch(std::int64_t step, std::int64_t rows, std::int64_t T) const override;
  Tensor validation(std::int64_t rows, std::int64_t T) const override;
  std::string decode(std::span<const std::int64_t> tokens) const override { return tokenizer_->decode(tokens); }
  std::string describe() const override;
  std::string digest() const override;

  std::vector<std::int64_t> head(std::int64_t n) const;  // the first n tokens, n <= training_tokens()
  std::vector<std::int64_t> encode(std::string_view text) const override {
    const auto tokens = tokenizer_->encode(text);
    return {tokens.begin(), tokens.end()};
  }
  std::int64_t training_tokens() const { return training_tokens_; }
  std::int64_t validation_tokens() const { return validation_tokens_; }

 private:
  void need(const char* part, std::int64_t have, std::int64_t T) const;

  TextOptions options_;
  Key key_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::size_t file_count_ = 0;
  TokenStore text_, validation_text_;  // the second is empty unless validation_path is given
  std::int64_t training_tokens_ = 0, validation_tokens_ = 0;
};

}  // namespace plumb
