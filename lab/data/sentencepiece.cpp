// SentencePiece models, by their own library: the only file that includes it.
#include <sentencepiece_processor.h>

#include <algorithm>
#include <exception>
#include <new>

#include "core/errors.h"
#include "core/files/atomic_file.h"
#include "core/files/digest.h"
#include "lab/data/tokenizer.h"
#include "lab/data/utf8.h"

namespace plumb {
namespace {

class SentencePieceTokenizer final : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(const std::string& path) : path_(path) {
    const std::string model = files::read_text(path, std::uint64_t{256} << 20);
    if (model.empty() || !loads(model))
      throw UserError("is no SentencePiece model", path, "train one with spm_train, or use data.tokenizer = \"bytes\"");
    digest_ = "sentencepiece " + files::digest(model);
  }
  std::int64_t vocab() const override { return processor_.GetPieceSize(); }
  bool takes_any_bytes() const override { return false; }
  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<int> ids;
    must_be_ok(processor_.Encode(text, &ids));
    return {ids.begin(), ids.end()};
  }
  std::string decode(std::span<const std::int64_t> tokens) const override {
    for (const auto t : tokens)
      if (t < 0 || t >= vocab()) fail("decode", "token {} is not in the vocabulary of {}.", t, vocab());
    std::string text;
    must_be_ok(processor_.Decode(std::vector<int>(tokens.begin(), tokens.end()), &text));
    return text;
  }
  std::string describe() const override { return fmt::format("SentencePiece {} (vocabulary {})", path_, vocab()); }
  std::string digest() const override { return digest_; }

 private:
  // The library says what it dislikes by its status, and by exceptions of what it builds its tables with.
  bool loads(const std::string& model) {
    try {
      return processor_.LoadFromSerializedProto(model).ok();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception&) {
      return false;
    }
  }

  void must_be_ok(const sentencepiece::util::Status& status) const {
    if (!status.ok()) throw UserError("SentencePiece fails: " + status.ToString(), path_);
  }

  std::string path_, digest_;
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(const std::string& path) {
  return std::make_unique<SentencePieceTokenizer>(path);
}

}  // namespace plumb
