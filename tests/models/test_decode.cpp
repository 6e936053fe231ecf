// Decoding with a cache: the same bits as the whole pass, however the tokens come.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/files_support.h"
#include "tests/models/gpt_variants.h"

namespace plumb::models {
namespace {

Tensor counted(std::int64_t rows, std::int64_t length, std::int64_t vocab) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < rows * length; ++i) out.push_back((i * i + 3 * i) % vocab);
  return Tensor::from(out, {rows, length});
}

TEST(Decode, EveryVariantGivesTheBitsOfTheWholePass) {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const auto& [name, options, activation] : variants()) {
      SCOPED_TRACE(name);
      Gpt model(options);
      nn::Arena arena(model, Key(1), dtype);
      const Tensor tokens = counted(3, 9, 11), whole = model.logits(tokens).value();
      for (const auto& pieces :
           std::vector<std::vector<std::int64_t>>{{9}, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {4, 1, 3, 1}}) {
        GptCache cache = model.make_cache(3, options.context, dtype);
        std::int64_t read = 0;
        for (const auto n : pieces) {
          const Tensor last = model.decode(tokens.slice(1, read, read + n).contiguous(), cache);
          read += n;
          EXPECT_TRUE(same_bits(last, whole.select(1, read - 1).contiguous())) << "after " << read << " tokens";
        }
      }
    }
}

TEST(Decode, RowsOfDifferentLengthsStandWhereTheyStand) {
  for (const auto& [name, options, activation] : variants()) {
    SCOPED_TRACE(name);
    Gpt model(options);
    nn::Arena arena(model, Key(1));
    const Tensor tokens = counted(2, 9, 11), whole = model.logits(tokens).value();
    GptCache cache = model.make_cache(2, options.context);
    model.decode(tokens.slice(1, 0, 4).contiguous(), cache);
    cache.rewind(1);  // now row 0 holds 4 tokens and row 1 none
    const Tensor next = Tensor::from(std::vector<std::int64_t>{tokens.select(0, 0).to_vector<std::int64_t>()[4],
                                                               tokens.select(0, 1).to_vector<std::int64_t>()[0]},
                                     {2, 1});
    const Tensor last = model.decode(next, cache);
    EXPECT_EQ(cache.length().to_vector<std::int64_t>(), (std::vector<std::int64_t>{5, 1}));
    EXPECT_TRUE(same_bits(last.select(0, 0).contiguous(), whole.select(0, 0).select(0, 4).contiguous()));
    EXPECT_TRUE(same_bits(last.select(0, 1).contiguous(), whole.select(0, 1).select(0, 0).contiguous()));
  }
}

TEST(Decode, AFullCacheIsAnErrorThatNamesTheRow) {
  Gpt model({.vocab = 11, .width = 12, .layers = 1, .heads = 3, .context = 4});
  nn::Arena arena(model, Key(1));
  GptCache cache = model.make_cache(1, 4);
  EXPECT_THAT(test::error_of([&] { model.decode(counted(1, 5, 11), cache); }),
              testing::HasSubstr("row 0 would hold 5 tokens but the cache has room for 4"));
}

}  // namespace
}  // namespace plumb::models
