// Which window a row reads, and what to say when there is none.
#include "lab/data/text.h"

#include <fmt/format.h>

#include "core/errors.h"
#include "core/files/digest.h"
#include "lab/data/shuffled_index.h"

namespace plumb {
namespace {

std::string joined(const std::vector<std::string>& paths) {
  std::string text;
  for (const auto& p : paths) text += (text.empty() ? "" : ", ") + p;
  return text;
}

}  // namespace

TextData::TextData(const TextOptions& options, std::uint64_t run_seed, const std::string& cache_folder)
    : options_(options), key_(Key(run_seed).at("data")) {
  check_fields(options_, "data");
  if (options_.path.empty()) throw UserError("there is no text", "data.path", "data.path = \"my_text.txt\"");
  tokenizer_ = make_tokenizer(options_.tokenizer);
  const auto files = expand_paths(options_.path);
  file_count_ = files.size();
  text_ = TokenStore(files, *tokenizer_, options_.invalid_utf8, cache_folder);
  if (text_.size() == 0) throw UserError("the text is empty", joined(options_.path));
  if (!options_.validation_path.empty()) {
    validation_text_ =
        TokenStore(expand_paths(options_.validation_path), *tokenizer_, options_.invalid_utf8, cache_folder);
    if (validation_text_.size() == 0) throw UserError("the validation text is empty", joined(options_.validation_path));
    training_tokens_ = text_.size();
    validation_tokens_ = validation_text_.size();
  } else {
    validation_tokens_ = static_cast<std::int64_t>(static_cast<double>(text_.size()) * options_.validation_fraction);
    training_tokens_ = text_.size() - validation_tokens_;
  }
}

void TextData::need(const char* part, std::int64_t have, std::int64_t T) const {
  if (T < 1) throw UserError(fmt::format("a row of {} tokens predicts nothing", T));
  if (have > T) return;
  throw UserError(fmt::format("the {} part has {} tokens, but one row needs {} ({} inputs and a last target)", part,
                              have, T + 1, T),
                  joined(options_.path),
                  options_.validation_path.empty() && part == std::string_view("validation")
                      ? "give more text, a larger data.validation_fraction, data.validation_path, or a shorter context"
                      : "give more text or a shorter context");
}

// Row r of a step is example step * rows + r of an endless sequence of epochs, each its own order of disjoint windows;
// or, for order = random, a window drawn from anywhere.
Tensor TextData::batch(std::int64_t step, std::int64_t rows, std::int64_t T) const {
  need("training", training_tokens_, T);
  PLUMB_ASSERT(step >= 0 && rows >= 0);
  Tensor tokens = Tensor::empty({rows, T + 1}, DType::i64, cpu_device, "batch of text");
  std::int64_t* out = tokens.data<std::int64_t>();
  const std::int64_t windows = (training_tokens_ - 1) / T;
  for (std::int64_t r = 0; r < rows; ++r) {
    std::int64_t begin = 0;
    if (options_.order == DataOrder::random) {
      const auto places = static_cast<std::uint64_t>(training_tokens_ - T);
      begin = static_cast<std::int64_t>(
          key_.at(static_cast<std::uint64_t>(step)).below(places, static_cast<std::uint64_t>(r)));
    } else {
      const std::int64_t example = step * rows + r;
      const ShuffledIndex order(key_.at(static_cast<std::uint64_t>(example / windows)),
                                static_cast<std::uint64_t>(windows));
      begin = T * static_cast<std::int64_t>(order(static_cast<std::uint64_t>(example % windows)));
    }
    text_.read(begin, T + 1, out + r * (T + 1));
  }
  return tokens;
}

Tensor TextData::validation(std::int64_t rows, std::int64_t T) const {
  need("validation", validation_tokens_, T);
  const auto n = std::min(rows, (validation_tokens_ - 1) / T);
  Tensor tokens = Tensor::empty({n, T + 1}, DType::i64, cpu_device, "validation text");
  std::int64_t* out = tokens.data<std::int64_t>();
  const bool own = options_.validation_path.empty();
  const auto first = own ? training_tokens_ : 0;
  for (std::int64_t r = 0; r < n; ++r) (own ? text_ : validation_text_).read(first + r * T, T + 1, out + r * (T + 1));
  return tokens;
}

std::vector<std::int64_t> TextData::head(std::int64_t n) const {
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(n));
  text_.read(0, n, tokens.data());
  return tokens;
}

std::string TextData::describe() const {
  return fmt::format("text: {} file{}, {}, {} training and {} validation tokens", file_count_,
                     file_count_ == 1 ? "" : "s", tokenizer_->describe(), training_tokens_, validation_tokens_);
}

std::string TextData::digest() const {
  return files::digest(fmt::format("text 1\n{}\n{}\n{}\n{} {}\n", tokenizer_->digest(), text_.digest(),
                                   validation_text_.digest(), training_tokens_, validation_tokens_));
}

}  // namespace plumb
