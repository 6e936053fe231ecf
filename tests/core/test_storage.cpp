// The caching allocator: what it counts, what it keeps, and what it says when memory runs out.
#include <gtest/gtest.h>

#include "core/storage.h"
#include "core/tensor.h"

namespace plumb {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool caches = false;  // the sanitizer must see every free
#else
constexpr bool caches = true;
#endif

TEST(Storage, CountsWhatIsInUse) {
  const std::size_t before = memory_stats().in_use;
  {
    const Tensor a = Tensor::empty({1000});
    const std::size_t during = memory_stats().in_use;
    EXPECT_GE(during - before, 4000u);
    EXPECT_LE(during - before, 4500u);  // at most an eighth is wasted
    const Tensor view = a.slice(0, 0, 10);
    EXPECT_EQ(memory_stats().in_use, during);
  }
  EXPECT_EQ(memory_stats().in_use, before);
}

TEST(Storage, ServesTheSameSizeFromItsCache) {
  if (!caches) GTEST_SKIP() << "no cache under the sanitizer";
  const void* first;
  {
    const Tensor a = Tensor::empty({12345});
    first = a.raw();
  }
  const auto calls = memory_stats().allocations;
  const Tensor b = Tensor::empty({12345});
  EXPECT_EQ(b.raw(), first);
  EXPECT_EQ(memory_stats().allocations, calls);
}

TEST(Storage, GivesTheCacheBack) {
  { const Tensor a = Tensor::empty({54321}); }
  EXPECT_EQ(memory_stats().cached > 0, caches);
  release_cached_memory();
  EXPECT_EQ(memory_stats().cached, 0u);
}

TEST(Storage, RemembersThePeak) {
  reset_peak_memory();
  const auto start = memory_stats().peak;
  EXPECT_EQ(start, memory_stats().in_use);
  { const Tensor a = Tensor::empty({1 << 20}); }
  EXPECT_GE(memory_stats().peak, start + (4u << 20));
  reset_peak_memory();
  EXPECT_EQ(memory_stats().peak, memory_stats().in_use);
}

TEST(Storage, IsAlignedForVectors) {
  for (const std::int64_t n : {0, 1, 3, 17, 1000, 99999})
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(Tensor::empty({n}, DType::u8).raw()) % 64, 0u);
}

TEST(Storage, SaysWhoAskedForHowMuchWhenMemoryRunsOut) {
  try {
    Tensor::empty({std::int64_t{1} << 46}, DType::f64, cpu_device, "logits");
    FAIL() << "512 TiB were granted";
  } catch (const OutOfMemory& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("out of memory on cpu: logits asked for 562949953421312 bytes while "), std::string::npos)
        << text;
    EXPECT_NE(text.find("in use (peak "), std::string::npos) << text;
    EXPECT_NE(text.find("hint: use a smaller batch"), std::string::npos) << text;
    EXPECT_EQ(e.where(), "logits");
  }
  EXPECT_EQ(Tensor::full({3}, 1).to_vector<double>(), std::vector<double>(3, 1.0));  // and all goes on
}

}  // namespace
}  // namespace plumb
