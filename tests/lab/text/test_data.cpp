// Text as rows of tokens: which window a row reads, and what is said when there is none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "core/errors.h"
#include "lab/config/read.h"
#include "lab/data/shuffled_index.h"
#include "lab/data/text.h"
#include "tests/lab/text_support.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using namespace testing_support;

std::string counted_text(int n) {  // every byte says where it stands, modulo 251
  std::string text;
  for (int i = 0; i < n; ++i) text += static_cast<char>(i % 251);
  return text;
}

void expect_refused(const TextOptions& options, const std::string& where, const std::string& what, std::int64_t T = 8) {
  try {
    TextData data(options, 0);
    data.batch(0, 1, T);
    data.validation(1, T);
    ADD_FAILURE() << "accepted; expected: " << what;
  } catch (const UserError& e) {
    EXPECT_THAT(e.message(), HasSubstr(what));
    EXPECT_THAT(e.where(), HasSubstr(where));
  }
}

TEST(ShuffledIndex, IsAPermutationForEverySize) {
  for (const std::uint64_t n : {1u, 2u, 3u, 5u, 16u, 17u, 100u, 1000u}) {
    const ShuffledIndex order(Key(3).at(n), n);
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < n; ++i) seen.insert(order(i));
    EXPECT_EQ(seen.size(), n);
    EXPECT_EQ(*seen.rbegin(), n - 1);
  }
}

TEST(ShuffledIndex, MovesThingsAround) {
  constexpr std::uint64_t n = 1000;
  const ShuffledIndex a(Key(3), n), b(Key(4), n);
  int fixed = 0, same = 0, next = 0;
  for (std::uint64_t i = 0; i + 1 < n; ++i) {
    fixed += a(i) == i;
    same += a(i) == b(i);
    next += a(i + 1) == a(i) + 1;
  }
  EXPECT_LT(fixed, 8);
  EXPECT_LT(same, 8);
  EXPECT_LT(next, 8);
}

TEST(TextData, AnEpochReadsEveryWindowOnceAndOnlyTraining) {
  const ScratchFolder folder;
  const TextOptions options{.path = {folder.write("a.txt", counted_text(1001))}};
  const TextData data(options, 5);
  EXPECT_EQ(data.training_tokens(), 901);
  EXPECT_EQ(data.validation_tokens(), 100);
  // 90 windows of 10: 18 steps of 5 rows are an epoch.
  for (const std::int64_t first : {0, 18}) {
    std::multiset<std::int64_t> starts;
    for (std::int64_t step = first; step < first + 18; ++step) {
      const auto rows = data.batch(step, 5, 10).to_vector<std::int64_t>();
      for (std::size_t r = 0; r < 5; ++r) {
        for (std::size_t t = 1; t < 11; ++t)
          EXPECT_EQ(rows[r * 11 + t], (rows[r * 11] + static_cast<std::int64_t>(t)) % 251);
        starts.insert(rows[r * 11]);
      }
    }
    std::multiset<std::int64_t> expected;
    for (std::int64_t w = 0; w < 90; ++w) expected.insert(w * 10 % 251);
    EXPECT_EQ(starts, expected);
  }
  EXPECT_FALSE(same_bits(data.batch(0, 5, 10), data.batch(18, 5, 10)));
}

TEST(TextData, ABatchIsAFunctionOfSeedAndStep) {
  const ScratchFolder folder;
  for (const auto order : {DataOrder::shuffled, DataOrder::random}) {
    const TextOptions options{.path = {folder.write("a.txt", counted_text(5000))}, .order = order};
    const TextData data(options, 5), again(options, 5), other(options, 6);
    data.batch(3, 4, 16);
    EXPECT_TRUE(same_bits(data.batch(7, 4, 16), again.batch(7, 4, 16)));
    EXPECT_FALSE(same_bits(data.batch(7, 4, 16), data.batch(8, 4, 16)));
    EXPECT_FALSE(same_bits(data.batch(7, 4, 16), other.batch(7, 4, 16)));
    EXPECT_TRUE(same_bits(data.validation(9, 16), other.validation(9, 16)));
  }
}

TEST(TextData, RandomOrderReachesBothEnds) {
  const ScratchFolder folder;
  const TextOptions options{
      .path = {folder.write("a.txt", counted_text(20))}, .validation_fraction = 0, .order = DataOrder::random};
  const TextData data(options, 5);
  std::set<std::int64_t> starts;
  for (int step = 0; step < 60; ++step) {
    const auto rows = data.batch(step, 4, 15).to_vector<std::int64_t>();
    for (std::size_t r = 0; r < 4; ++r) starts.insert(rows[r * 16]);
  }
  EXPECT_EQ(starts, (std::set<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(TextData, ValidationIsTheLastPartInOrder) {
  const ScratchFolder folder;
  const TextData data({.path = {folder.write("a.txt", counted_text(1000))}}, 5);
  const auto rows = data.validation(100, 10);
  EXPECT_EQ(rows.shape(), (Shape{9, 11}));  // 99 predictions fit
  const auto x = rows.to_vector<std::int64_t>();
  for (std::size_t r = 0; r < 9; ++r)
    for (std::size_t t = 0; t < 11; ++t) EXPECT_EQ(x[r * 11 + t], static_cast<std::int64_t>(900 + r * 10 + t) % 251);
  EXPECT_TRUE(same_bits(data.validation(2, 10), rows.slice(0, 0, 2).contiguous()));
}

TEST(TextData, ManyFilesReadAsOne) {
  const ScratchFolder folder;
  const std::string text = counted_text(900);
  folder.write("a.txt", text.substr(0, 333));
  folder.write("b.txt", "");
  folder.write("c.txt", text.substr(333, 1));
  folder.write("d.txt", text.substr(334));
  const TextData many({.path = {folder / "*.txt"}}, 5);
  const TextData one({.path = {folder.write("whole", text)}}, 5);
  EXPECT_TRUE(same_bits(many.batch(0, 60, 13), one.batch(0, 60, 13)));
  EXPECT_TRUE(same_bits(many.validation(60, 13), one.validation(60, 13)));
  EXPECT_THAT(many.describe(), HasSubstr("4 files"));
}

TEST(TextData, ValidationFilesLeaveTheWholeTextForTraining) {
  const ScratchFolder folder;
  const TextData data({.path = {folder.write("a.txt", counted_text(100))},
                       .validation_path = {folder.write("v.txt", "validation text")}},
                      5);
  EXPECT_EQ(data.training_tokens(), 100);
  EXPECT_EQ(data.decode(data.validation(1, 14).to_vector<std::int64_t>()), "validation text");
}

TEST(TextData, WhatCannotBeReadIsSaidSo) {
  const ScratchFolder folder;
  const auto empty = folder.write("empty.txt", ""), tiny = folder.write("tiny.txt", "123456789");
  expect_refused({}, "data.path", "there is no text");
  expect_refused({.path = {folder / "missing.txt"}}, "missing.txt", "there is no such file");
  expect_refused({.path = {folder / "*.md"}}, "*.md", "no file matches");
  expect_refused({.path = {folder / ""}}, folder / "", "is a folder");
  expect_refused({.path = {empty}}, "empty.txt", "the text is empty");
  expect_refused({.path = {tiny}}, "tiny.txt", "the training part has 9 tokens, but one row needs 10", 9);
  expect_refused({.path = {tiny}}, "tiny.txt", "the validation part has 0 tokens, but one row needs 9");
  expect_refused({.path = {tiny}, .validation_path = {empty}}, "empty.txt", "the validation text is empty");
  expect_refused({.path = {tiny}, .validation_fraction = 1}, "", "validation_fraction must be at least 0, below 1");
  expect_refused({.path = {tiny}}, "", "predicts nothing", 0);
  expect_refused({.path = {"/proc/self/mem"}}, "/proc/self/mem", "");
}

TEST(TextData, OptionsAreReadFromToml) {
  TextOptions options;
  read(parse_toml("path = \"x.txt\"\norder = \"random\"\ninvalid_utf8 = \"replace\"", "run.toml"), options, "data");
  EXPECT_EQ(options.order, DataOrder::random);
  EXPECT_EQ(options.invalid_utf8, InvalidUtf8::replace);
  try {
    read(parse_toml("order = \"random\"", "run.toml"), options, "data");
    FAIL();
  } catch (const UserError& e) {
    EXPECT_THAT(e.message(), HasSubstr("data.path is missing"));
  }
}

TEST(TextData, TheDigestIsThatOfTheContent) {
  const ScratchFolder folder;
  const TextData a({.path = {folder.write("a.txt", "some text here")}}, 1),
      b({.path = {folder.write("b.txt", "some text here")}}, 2);
  const TextData c({.path = {folder.write("c.txt", "some text there")}}, 1);
  EXPECT_EQ(a.digest(), b.digest());
  EXPECT_NE(a.digest(), c.digest());
}

}  // namespace
}  // namespace plumb
