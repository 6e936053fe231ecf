// Tokenizers and UTF-8: round trips, what is refused and where, tokens kept in a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/errors.h"
#include "core/files/atomic_file.h"
#include "lab/data/text.h"
#include "lab/data/token_file.h"
#include "lab/data/tokenizer.h"
#include "lab/data/utf8.h"
#include "tests/lab/text_support.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using namespace testing_support;

std::string tiny_model() {
  return tiny_sentencepiece_model({{"\xe2\x96\x81", -3},
                                   {"\xe2\x96\x81to", -2},
                                   {"be", -2},
                                   {"o", -4},
                                   {"r", -4},
                                   {"b", -5},
                                   {"e", -5},
                                   {"t", -5},
                                   {"\n", -5},
                                   {"\xef\xbf\xbd", -6}});
}

std::vector<std::int64_t> widened(const std::vector<std::int32_t>& tokens) { return {tokens.begin(), tokens.end()}; }

TEST(Utf8, FindsTheFirstMalformedByte) {
  EXPECT_FALSE(first_invalid_utf8("plain"));
  EXPECT_FALSE(first_invalid_utf8("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xed\x9f\xbf \xf4\x8f\xbf\xbf"));
  EXPECT_EQ(first_invalid_utf8("plain text \xff"), 11u);
  EXPECT_EQ(first_invalid_utf8("\xc0\xaf"), 0u);          // overlong
  EXPECT_EQ(first_invalid_utf8("ab\xed\xa0\x80"), 2u);    // surrogate
  EXPECT_EQ(first_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(first_invalid_utf8("abc\xe2\x82"), 3u);       // cut off
  EXPECT_EQ(first_invalid_utf8("\x80"), 0u);
}

TEST(Utf8, ReplacesEachMalformedPieceOnce) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(replace_invalid_utf8("a\xff\xfe"), "a" + r + r);
  EXPECT_EQ(replace_invalid_utf8("a\xe2\x82z"), "a" + r + "z");
  EXPECT_EQ(replace_invalid_utf8("\xf0\x9f\x98"), r);
  EXPECT_EQ(replace_invalid_utf8("\xed\xa0\x80"), r + r + r);
  EXPECT_EQ(replace_invalid_utf8("\xc3\xa9"), "\xc3\xa9");
}

TEST(Tokenizer, BytesTakeAnythingAndGiveItBack) {
  const auto bytes = make_tokenizer("bytes");
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(bytes->vocab(), 256);
  EXPECT_EQ(bytes->decode(widened(bytes->encode(all))), all);
  EXPECT_THROW(bytes->decode(std::vector<std::int64_t>{256}), UserError);
}

TEST(Tokenizer, AnUnknownNameSaysWhatThereIs) {
  try {
    make_tokenizer("bites");
    FAIL();
  } catch (const UserError& e) {
    EXPECT_THAT(e.hint(), HasSubstr("SentencePiece"));
  }
}

TEST(Tokenizer, SentencePieceRoundTrips) {
  const ScratchFolder folder;
  const auto t = make_tokenizer(folder.write("tiny.model", tiny_model()));
  EXPECT_EQ(t->vocab(), 13);
  const auto tokens = t->encode("to be or");
  EXPECT_EQ(tokens, (std::vector<std::int32_t>{4, 3, 5, 3, 6, 7}));
  EXPECT_EQ(t->decode(widened(tokens)), "to be or");
  EXPECT_THROW(t->decode(std::vector<std::int64_t>{13}), UserError);
  EXPECT_THROW(t->decode(std::vector<std::int64_t>{-1}), UserError);
}

TEST(Tokenizer, ABrokenModelIsAnErrorThatNamesIt) {
  const ScratchFolder folder;
  const std::string nul_first = tiny_sentencepiece_model({{std::string("\0x", 2), -1}});  // the library throws at it
  for (const std::string& text :
       {std::string(), std::string("no model at all"), tiny_model().substr(0, 40), nul_first}) {
    const auto path = folder.write("broken.model", text);
    try {
      make_tokenizer(path);
      ADD_FAILURE() << "accepted";
    } catch (const UserError& e) {
      EXPECT_EQ(e.where(), path);
    }
  }
  EXPECT_THROW(make_tokenizer(folder / "missing.model"), UserError);
}

TEST(Tokenizer, InvalidUtf8IsAnErrorWithItsByteOrReplaced) {
  const ScratchFolder folder;
  const auto model = folder.write("tiny.model", tiny_model()), text = folder.write("bad.txt", "to be\nor \xff to be\n");
  TextOptions options{.path = {text}, .tokenizer = model};
  try {
    TextData data(options, 0);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_EQ(e.where(), text);
    EXPECT_THAT(e.message(), HasSubstr("is not UTF-8 at byte 9 (line 2)"));
    EXPECT_THAT(e.hint(), HasSubstr("\"replace\""));
  }
  options.invalid_utf8 = InvalidUtf8::replace;
  const TextData data(options, 0);
  const auto row = data.batch(0, 1, data.training_tokens() - 1).to_vector<std::int64_t>();
  EXPECT_THAT(data.decode(row), HasSubstr("\xef\xbf\xbd"));
  options.tokenizer = "bytes";
  options.invalid_utf8 = InvalidUtf8::error;
  EXPECT_NO_THROW(TextData(options, 0));
}

TEST(TokenFile, KeptTokensAreFoundAgainAndMendedWhenDamaged) {
  const ScratchFolder folder, cache;
  const auto model = folder.write("tiny.model", tiny_model());
  std::string text;
  for (int i = 0; i < 20000; ++i) text += i % 3 ? "to be or\n" : "be to ";
  const TextOptions options{.path = {folder.write("a.txt", text)}, .tokenizer = model};
  const Tensor without = TextData(options, 1).batch(0, 4, 100);
  const Tensor first = TextData(options, 1, cache / "").batch(0, 4, 100);
  ASSERT_EQ(cache.files(), 1u);
  EXPECT_TRUE(same_bits(first, without));
  EXPECT_TRUE(same_bits(first, TextData(options, 1, cache / "").batch(0, 4, 100)));
  const auto kept = std::filesystem::directory_iterator(cache / "")->path();
  for (const auto damage : {70, 3, 12}) {
    std::fstream(kept, std::ios::in | std::ios::out | std::ios::binary).seekp(damage).put('\x7e');
    EXPECT_TRUE(same_bits(first, TextData(options, 1, cache / "").batch(0, 4, 100))) << damage;
  }
  // A table of the same digest that says something else of itself: magic, version, width, count, a byte too many.
  const std::string good = files::read_text(kept);
  for (const auto& [at, byte] : {std::pair(0, 'x'), {8, '\x02'}, {12, '\x04'}, {16, '\x01'}}) {
    std::string bad = good;
    bad[static_cast<std::size_t>(at)] = byte;
    std::ofstream(kept, std::ios::binary) << bad;
    EXPECT_TRUE(same_bits(first, TextData(options, 1, cache / "").batch(0, 4, 100))) << at;
    EXPECT_EQ(files::read_text(kept), good) << at;
  }
  std::ofstream(kept, std::ios::binary) << good << 'x';
  EXPECT_TRUE(same_bits(first, TextData(options, 1, cache / "").batch(0, 4, 100)));
  std::filesystem::resize_file(kept, 10);
  EXPECT_TRUE(same_bits(first, TextData(options, 1, cache / "").batch(0, 4, 100)));
  folder.write("a.txt", text + "to");
  TextData(options, 1, cache / "");
  EXPECT_EQ(cache.files(), 2u);
}

// Each character by its number, in a vocabulary too large for 16 bits.
class Numbers final : public Tokenizer {
 public:
  std::int64_t vocab() const override { return 70000; }
  bool takes_any_bytes() const override { return false; }
  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> tokens;
    for (const char c : text) tokens.push_back(69900 + c - 'a');
    return tokens;
  }
  std::string decode(std::span<const std::int64_t>) const override { return {}; }
  std::string describe() const override { return "numbers"; }
  std::string digest() const override { return "numbers"; }
};

TEST(TokenStore, KeepsTokensOfALargeVocabulary) {
  const ScratchFolder folder;
  const TokenStore store({folder.write("a.txt", "abz"), folder.write("b.txt", "c")}, Numbers(), InvalidUtf8::error, "");
  std::vector<std::int64_t> tokens(4);
  ASSERT_EQ(store.size(), 4);
  store.read(0, 4, tokens.data());
  EXPECT_THAT(tokens, testing::ElementsAre(69900, 69901, 69925, 69902));
  EXPECT_EQ(TokenStore().size(), 0);
}

TEST(TokenStore, SaysWhereItCannotKeepTokens) {
  const ScratchFolder folder;
  const auto text = folder.write("a.txt", "abz");
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before ? before : "";
  for (const char* nowhere : {"/proc", "/nowhere/at/all"}) {
    setenv("TMPDIR", nowhere, 1);
    try {
      TokenStore({text}, Numbers(), InvalidUtf8::error, "");
      ADD_FAILURE() << "accepted";
    } catch (const UserError& e) {
      EXPECT_THAT(e.where(), testing::StartsWith(nowhere));
      EXPECT_THAT(e.message(), HasSubstr("cannot make a temporary file"));
    }
  }
  before ? setenv("TMPDIR", kept.c_str(), 1) : unsetenv("TMPDIR");
}

TEST(TextData, NamesEveryFileThatIsEmpty) {
  const ScratchFolder folder;
  const auto a = folder.write("a.txt", ""), b = folder.write("b.txt", "");
  try {
    TextData(TextOptions{.path = {a, b}}, 0);
    ADD_FAILURE() << "accepted";
  } catch (const UserError& e) {
    EXPECT_EQ(e.where(), a + ", " + b);
  }
}

TEST(TokenFile, ChunksEndAtLinesOrBetweenCharacters) {
  EXPECT_EQ(chunk_length("short"), 5u);
  EXPECT_EQ(chunk_length(std::string(100000, 'x')), 100000u);             // no line ends, but it is all there is
  EXPECT_EQ(chunk_length(std::string(3 << 20, 'x')), 1u << 20);           // no line ends
  EXPECT_EQ(chunk_length(std::string(3 << 20, '\x80')), (1u << 20) - 3);  // nor a character
  const std::string line(1000, 'x');
  std::string text;
  for (int i = 0; i < 3000; ++i) text += line + "\n";
  EXPECT_EQ(chunk_length(text), 66u * 1001);
  std::string euros = "x";
  for (int i = 0; i < 500000; ++i) euros += "\xe2\x82\xac";
  const auto cut = chunk_length(euros);
  EXPECT_LE(cut, 1u << 20);
  EXPECT_GT(cut, (1u << 20) - 4);
  EXPECT_FALSE(first_invalid_utf8(std::string_view(euros).substr(0, cut)));
  EXPECT_FALSE(first_invalid_utf8(std::string_view(euros).substr(cut)));
}

}  // namespace
}  // namespace plumb
