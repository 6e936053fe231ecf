// Real text: Shakespeare whole, as bytes and as the pieces of a real tokenizer.
#include <gtest/gtest.h>

#include "core/files/atomic_file.h"
#include "lab/data/text.h"
#include "tests/data_folder.h"

namespace plumb {
namespace {

TEST(Shakespeare, IsReadWholeAndComesBackByteForByte) {
  PLUMB_DATA_OR_SKIP(data);
  const std::string path = data + "/tinyshakespeare/input.txt", text = files::read_text(path);
  const TextData whole({.path = {path}, .validation_fraction = 0}, 0);
  EXPECT_EQ(whole.training_tokens(), 1115394);
  EXPECT_EQ(whole.validation_tokens(), 0);
  EXPECT_EQ(whole.decode(whole.head(whole.training_tokens())), text);
}

TEST(Shakespeare, ValidationIsItsLastTenthAndNoBatchReadsIt) {
  PLUMB_DATA_OR_SKIP(data);
  const std::string path = data + "/tinyshakespeare/input.txt", text = files::read_text(path);
  const TextData split({.path = {path}}, 0);
  EXPECT_EQ(split.training_tokens(), 1003855);
  EXPECT_EQ(split.validation_tokens(), 111539);
  constexpr std::int64_t T = 256, rows = 1003854 / T;  // an epoch in one batch
  EXPECT_EQ(split.decode(split.validation(1, T).to_vector<std::int64_t>()), text.substr(1003855, T + 1));
  const auto epoch = split.batch(0, rows, T).to_vector<std::int64_t>();
  std::vector<bool> seen(static_cast<std::size_t>(rows));
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    const std::string row = split.decode({epoch.data() + r * (T + 1), T + 1});
    std::size_t at = text.find(row);  // a window stands at a multiple of T
    while (at != std::string::npos && at % T != 0) at = text.find(row, at + 1);
    ASSERT_NE(at, std::string::npos) << row;
    ASSERT_LE(at + T + 1, 1003855u);
    EXPECT_FALSE(seen[at / T]) << "twice: " << row;
    seen[at / T] = true;
  }
}

TEST(SentencePiece, ARealModelOf32000PiecesReadsShakespeare) {
  PLUMB_DATA_OR_SKIP(data);
  const TextOptions options{.path = {data + "/tinyshakespeare/input.txt"},
                            .tokenizer = data + "/sentencepiece/cc_all.32000.100extra.model"};
  const TextData text(options, 0);
  EXPECT_EQ(text.vocab(), 32101);
  EXPECT_GT(text.training_tokens(), 200000);
  const auto tokens = text.encode("Before we proceed any further, hear me speak.");
  EXPECT_EQ(text.decode(tokens), "Before we proceed any further, hear me speak.");
  EXPECT_LT(tokens.size(), 20u);
}

}  // namespace
}  // namespace plumb
