// Words, tokens and counts at their limits.
#include <gmock/gmock.h>

#include "alignment/contract/outcome.h"
#include "lab/cli/parse.h"
#include "lab/data/tokenizer.h"
#include "lab/data/utf8.h"
#include "lab/run/summary.h"
#include "tests/files_support.h"

namespace plumb {
namespace {

using test::error_of;
using testing::HasSubstr;

std::string error_of_words(std::vector<const char*> words) {
  words.insert(words.begin(), "plumb");
  return error_of([&] { cli::parse(static_cast<int>(words.size()), words.data()); });
}

TEST(WordEdges, AreRefusedWithTheNearestThatExists) {
  EXPECT_THAT(error_of_words({"--thread", "3"}), HasSubstr("did you mean --threads?"));
  EXPECT_THAT(error_of_words({"--zzzzzzzzzz"}), HasSubstr("see plumb --help"));
  EXPECT_THAT(error_of_words({"train", "a.toml", "--zzzzzzzzzz"}), HasSubstr("see plumb train --help"));
  EXPECT_THAT(error_of_words({"train", "a.toml", "b.toml"}), HasSubstr("one word too many"));
  EXPECT_THAT(error_of_words({"train"}), HasSubstr("CONFIG is missing"));
  EXPECT_THAT(error_of_words({"check", "--jobs=2"}), HasSubstr("has no use for --jobs"));
  EXPECT_THAT(error_of_words({"train", "a.toml", "--set"}), HasSubstr("--set needs a value"));
  EXPECT_THAT(error_of_words({"--out=x", "--json", "train"}), HasSubstr("CONFIG is missing"));
  EXPECT_THAT(error_of_words({"--", "train"}), HasSubstr("there is no option --"));
  EXPECT_THAT(error_of_words({"train", "a.toml", "--json=false"}), HasSubstr("--json takes no value"));
  EXPECT_THAT(error_of_words({"train", "a.toml", "--help=no"}), HasSubstr("see plumb train --help"));
}

TEST(WordEdges, ThreadsAreFromOneToManyThousands) {
  for (const char* n : {"0", "-1", "65537"})
    EXPECT_THAT(error_of_words({"train", "a.toml", "--threads", n}), HasSubstr("at least 1")) << n;
  for (const char* n : {"1", "65536"}) EXPECT_EQ(error_of_words({"train", "a.toml", "--threads", n}), "") << n;
}

TEST(TokenEdges, OutsideTheVocabularyAreNoBytes) {
  const auto bytes = make_byte_tokenizer();
  for (const std::int64_t token : {std::int64_t{-1}, std::int64_t{256}})
    EXPECT_THAT(error_of([&] { bytes->decode(std::vector<std::int64_t>{token}); }), HasSubstr("is no byte"));
}

TEST(Utf8Edges, CharactersBeyondUnicodeAreMended) {
  EXPECT_EQ(replace_invalid_utf8("\xf4\x90\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(first_invalid_utf8("a\xf4\x8f\xbf\xbf"), std::nullopt);
  EXPECT_EQ(first_invalid_utf8("\xe0\xa0\x80"), std::nullopt);  // the least of three bytes
  EXPECT_EQ(first_invalid_utf8("\xe0\x9f\xbf"), 0u);            // a longer form of two bytes
}

TEST(ReportEdges, OfNothingIsRefused) {
  EXPECT_THAT(error_of([] { lab::write_report({}); }), HasSubstr("at least one run"));
}

TEST(LossEdges, ThatCountsNothingIsRefused) {
  alignment::Term term;
  term.name = "x";
  EXPECT_THAT(error_of([&] { alignment::seeded(term, 0); }), HasSubstr("counts nothing"));
}

}  // namespace
}  // namespace plumb
