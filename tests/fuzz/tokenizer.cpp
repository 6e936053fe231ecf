// A SentencePiece model of any bytes, which then encodes and decodes: the model, a line of "%%", the text.
#include "lab/data/tokenizer.h"

#include "lab/data/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lab/text_support.h"

namespace plumb::fuzz {
namespace {

constexpr std::string_view divider = "\n%%\n";

}  // namespace

void fuzz(std::string_view input) {
  const auto middle = std::min(input.find(divider), input.size());
  const MemoryFile model(input.substr(0, middle));
  const auto tokenizer = make_sentencepiece_tokenizer(model.path());
  const std::string text =
      replace_invalid_utf8(middle == input.size() ? "to be or not" : input.substr(middle + divider.size()));
  const auto tokens = tokenizer->encode(text);
  for (const auto token : tokens) PLUMB_ASSERT(token >= 0 && token < tokenizer->vocab());
  tokenizer->decode({std::vector<std::int64_t>(tokens.begin(), tokens.end())});
}

std::vector<std::string> seeds() {
  const std::string model = testing_support::tiny_sentencepiece_model(
      {{"\xe2\x96\x81to", -1}, {"\xe2\x96\x81", -2}, {"be", -1.5f}, {"t", -4}});
  return {model, model + std::string(divider) + "to be \xc3\xa9 or"};
}

}  // namespace plumb::fuzz
