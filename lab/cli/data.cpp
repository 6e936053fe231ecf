// plumb data: what a text becomes before it reaches a model.
#include <fmt/format.h>

#include "lab/cli/command.h"
#include "lab/data/text.h"

namespace plumb::cli {
namespace {

std::string visible(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else out += c;
  }
  return out;
}

int show(const Arguments& a) {
  const TextOptions options{.path = a.words("TEXT"), .tokenizer = a.text("--tokenizer", "bytes")};
  const TextData data(options, 0, a.common.out);
  if (a.common.json) {
    fmt::print("{{\"vocab\": {}, \"training_tokens\": {}, \"validation_tokens\": {}, \"digest\": \"{}\"}}\n",
               data.vocab(), data.training_tokens(), data.validation_tokens(), data.digest());
    return 0;
  }
  fmt::print("{}\ndigest {}\n", data.describe(), data.digest());
  const auto n = std::min(a.integer("--tokens", 16), data.training_tokens());
  if (n < 0) throw UsageError("needs a number of at least 0", "--tokens");
  fmt::print("{:>8} {:>8}  text\n", "position", "id");
  const auto tokens = data.head(n);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    fmt::print("{:>8} {:>8}  {}\n", i, tokens[i], visible(data.decode({&tokens[i], 1})));
  return 0;
}

const Registration registered({.name = "data",
                               .group = Group::data,
                               .help = "show a text as tokens: counts, digest, the first ids",
                               .example = "plumb data \"books/*.txt\" --tokenizer words.model --tokens 40",
                               .words = {{.name = "TEXT", .help = "files or quoted patterns", .many = true}},
                               .options = {{"--tokenizer", "NAME", "\"bytes\" or the path of a SentencePiece model"},
                                           {"--tokens", "N", "how many tokens to print (16)"}},
                               .without = {"--set", "--device", "--jobs", "--dry-run"},
                               .run = show});

}  // namespace
}  // namespace plumb::cli
