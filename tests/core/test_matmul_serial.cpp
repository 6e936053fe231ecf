// Serial products against the plain triple loop, bit for bit, on every instruction set that this CPU has.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/cpu/gemm.h"
#include "core/cpu/gemm_table.h"
#include "core/cpu/isa.h"

namespace plumb::cpu {
namespace {

struct Target {
  const char* name;
  const GemmTable& table;
  bool fused;
};

std::vector<Target> targets() {
  __builtin_cpu_init();
  std::vector<Target> all{{"baseline", baseline::gemm_table(), false}};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    all.push_back({"avx2", avx2::gemm_table(), true});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    all.push_back({"avx512", avx512::gemm_table(), true});
  return all;
}

template <class T>
auto entry(const GemmTable& t) {
  if constexpr (sizeof(T) == 8) return t.f64;
  else return t.f32;
}

// The contract, word for word.
template <class T>
void plain(const GemmCall<T>& g, bool fused) {
  const auto* a = static_cast<const T*>(g.a);
  const auto* b = static_cast<const T*>(g.b);
  for (std::int64_t i = 0; i < g.m; ++i)
    for (std::int64_t j = 0; j < g.n; ++j) {
      T& c = g.c[i * g.c_row + j * g.c_col];
      bool stored = g.accumulate;
      if (g.k == 0 && !g.accumulate) c = 0;
      const std::int64_t segment = g.k_example > 0 ? g.k_example : g.k;
      for (std::int64_t s = 0; s < g.k; s += segment)
        for (std::int64_t p = s; p < std::min(s + segment, g.k); p += 96) {
          T part = 0;
          for (std::int64_t k = p; k < std::min({p + 96, s + segment, g.k}); ++k) {
            const T x = a[i * g.a_row + k * g.a_col], y = b[k * g.b_row + j * g.b_col];
            part = fused ? std::fma(x, y, part) : x * y + part;
          }
          c = stored ? c + part : part;
          stored = true;
        }
    }
}

template <class T>
std::vector<T> random_values(std::size_t n, std::mt19937& random) {
  std::normal_distribution<double> normal;
  std::vector<T> v(n);
  for (auto& x : v) x = static_cast<T>(normal(random));
  return v;
}

// A random way to lay out rows x columns: row-major, column-major, with gaps, or both strides odd.
struct Layout {
  std::int64_t row, column;
  std::size_t size;
};
Layout random_layout(std::int64_t rows, std::int64_t columns, std::mt19937& random) {
  const std::int64_t gap = static_cast<std::int64_t>(random() % 3) * 5;
  const auto extent = [&](std::int64_t r, std::int64_t c) {
    return static_cast<std::size_t>(std::max<std::int64_t>(0, rows - 1) * r +
                                    std::max<std::int64_t>(0, columns - 1) * c + 1);
  };
  const std::int64_t wide = std::max<std::int64_t>(columns, 1) + gap, tall = std::max<std::int64_t>(rows, 1) + gap;
  switch (random() % 4) {
    case 0:
    case 1: return {wide, 1, extent(wide, 1)};
    case 2: return {1, tall, extent(1, tall)};
    default: return {2 * wide, 2, extent(2 * wide, 2)};
  }
}

std::int64_t random_size(std::mt19937& random) {
  const std::int64_t most[] = {3, 20, 70, 260};
  return static_cast<std::int64_t>(random() % static_cast<unsigned>(most[random() % 4])) + 1;
}

template <class T>
void check(const GemmCall<T>& call, const std::vector<T>& c0, const std::string& what) {
  for (const Target& target : targets()) {
    std::vector<std::byte> scratch(gemm_scratch_bytes);
    std::vector<T> expected = c0, got = c0;
    GemmCall<T> g = call;
    g.c = expected.data();
    plain(g, target.fused);
    g.c = got.data();
    entry<T>(target.table)(g, scratch.data());
    ASSERT_EQ(0, std::memcmp(expected.data(), got.data(), got.size() * sizeof(T)))
        << what << " on " << target.name << ": " << g.m << "x" << g.k << "x" << g.n << " a " << g.a_row << ","
        << g.a_col << " b " << g.b_row << "," << g.b_col << " c " << g.c_row << "," << g.c_col << " accumulate "
        << g.accumulate << " k_example " << g.k_example;
  }
}

template <class T>
void check_random(unsigned seed, int cases) {
  std::mt19937 random(seed);
  for (int i = 0; i < cases; ++i) {
    GemmCall<T> g{.m = random_size(random), .n = random_size(random), .k = random_size(random)};
    if (i % 7 == 0) g.m = 1;
    if (i % 11 == 0) g.n = 1;
    if (i % 13 == 0) g.k = 400 + random_size(random) * 3;
    if (i % 29 == 0) g.k = 0;
    const Layout la = random_layout(g.m, g.k, random), lb = random_layout(g.k, g.n, random),
                 lc = random_layout(g.m, g.n, random);
    const auto a = random_values<T>(la.size, random), b = random_values<T>(lb.size, random);
    const auto c = random_values<T>(lc.size, random);
    const std::int64_t examples[] = {0, 0, 1, 2, 7, 16, 96, 100, 256, 1000};
    g.a = a.data(), g.a_row = la.row, g.a_col = la.column;
    g.b = b.data(), g.b_row = lb.row, g.b_col = lb.column;
    g.c_row = lc.row, g.c_col = lc.column;
    g.accumulate = random() % 2, g.k_example = examples[random() % 10];
    check(g, c, "case " + std::to_string(i));
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(GemmSerial, F32EqualsThePlainLoopBitForBit) { check_random<float>(1, 400); }
TEST(GemmSerial, F64EqualsThePlainLoopBitForBit) { check_random<double>(2, 250); }

// Steps of 32 k from each multiple of k_example, each summed as Intel's manual writes tdpbf16ps: the even and the odd k in
// a chain of fma each, then both together, then onto C.
void plain_tiles(const GemmCall<float>& g) {
  const auto value = [](const void* data, std::int64_t at) {
    return static_cast<float>(static_cast<const Bf16*>(data)[at]);
  };
  const std::int64_t segment = g.k_example > 0 ? g.k_example : g.k;
  for (std::int64_t i = 0; i < g.m; ++i)
    for (std::int64_t j = 0; j < g.n; ++j) {
      float sum = g.accumulate ? g.c[i * g.c_row + j * g.c_col] : 0;
      for (std::int64_t s = 0; s < g.k; s += segment)
        for (std::int64_t p = s; p < std::min(s + segment, g.k); p += 32) {
          float half[2] = {0, 0};
          for (std::int64_t k = p; k < std::min({p + 32, s + segment, g.k}); ++k)
            half[(k - p) % 2] = std::fma(value(g.a, i * g.a_row + k * g.a_col), value(g.b, k * g.b_row + j * g.b_col),
                                         half[(k - p) % 2]);
          sum += half[0] + half[1];
        }
      g.c[i * g.c_row + j * g.c_col] = sum;
    }
}

TEST(GemmSerial, Bf16TilesEqualThePlainLoopBitForBit) {
  if (!has_tiles()) GTEST_SKIP() << "this CPU has no AMX";
  std::mt19937 random(4);
  for (int i = 0; i < 300; ++i) {
    GemmCall<float> g{.m = random_size(random), .n = random_size(random), .k = random_size(random)};
    if (i % 7 == 0) g.m = 1;
    if (i % 13 == 0) g.k = 900 + random_size(random);
    if (i % 17 == 0) g.n = 400 + random_size(random);
    const Layout la = random_layout(g.m, g.k, random), lb = random_layout(g.k, g.n, random),
                 lc = random_layout(g.m, g.n, random);
    const auto narrow = [&](std::size_t n) {
      std::vector<Bf16> v;
      for (const float x : random_values<float>(n, random)) v.push_back(Bf16(x));
      return v;
    };
    const auto a = narrow(la.size), b = narrow(lb.size);
    const auto c = random_values<float>(lc.size, random);
    const std::int64_t examples[] = {0, 0, 0, 1, 7, 32, 96, 100, 256, 1000};
    g.a = a.data(), g.a_row = la.row, g.a_col = la.column, g.a_bf16 = true;
    g.b = b.data(), g.b_row = lb.row, g.b_col = lb.column, g.b_bf16 = true;
    g.c_row = lc.row, g.c_col = lc.column;
    g.accumulate = random() % 2, g.k_example = examples[random() % 10];
    std::vector<std::byte> scratch(gemm_scratch_bytes);
    std::vector<float> expected = c, got = c;
    g.c = expected.data();
    plain_tiles(g);
    g.c = got.data();
    avx512::gemm_table().bf16_tiles(g, scratch.data());
    ASSERT_EQ(0, std::memcmp(expected.data(), got.data(), got.size() * sizeof(float)))
        << "case " << i << ": " << g.m << "x" << g.k << "x" << g.n << " a " << g.a_row << "," << g.a_col << " b "
        << g.b_row << "," << g.b_col << " c " << g.c_row << "," << g.c_col << " accumulate " << g.accumulate
        << " k_example " << g.k_example;
  }
}

TEST(GemmSerial, EmptyDimensionsDoNothing) {
  for (const Target& target : targets()) {
    float c[4] = {1, 2, 3, 4};
    const auto run = [&](std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate) {
      target.table.f32({.m = m, .n = n, .k = k, .c = c, .c_row = 2, .accumulate = accumulate}, nullptr);
    };
    run(0, 2, 3, false), run(2, 0, 3, false), run(2, 2, 0, true);
    EXPECT_EQ(c[0] + c[3], 5);
    run(2, 2, 0, false);
    EXPECT_EQ(c[0] + c[1] + c[2] + c[3], 0);
  }
}

TEST(GemmSerial, KeepsTheSignOfAPartThatUnderflows) {
  const float tiny = 1e-30f, minus = -1e-30f;
  for (const std::int64_t k_example : {0, 1}) {
    float c = 1;
    const GemmCall<float> g{
        .m = 1, .n = 1, .k = 1, .a = &tiny, .b = &minus, .c = &c, .c_row = 1, .k_example = k_example};
    std::vector<std::byte> scratch(gemm_scratch_bytes);
    for (const Target& target : targets()) {
      target.table.f32(g, scratch.data());
      EXPECT_EQ(std::signbit(c), target.fused) << target.name;
    }
  }
}

TEST(GemmSerial, DenormalsAreZeros) {
  const float denormal = 1e-40f, large = 1e30f, small = 1e-20f;
  std::vector<std::byte> scratch(gemm_scratch_bytes);
  const auto product = [&](const Target& target, const float& a, const float& b, float c, bool accumulate) {
    target.table.f32({.m = 1, .n = 1, .k = 1, .a = &a, .b = &b, .c = &c, .c_row = 1, .accumulate = accumulate},
                     scratch.data());
    return c;
  };
  for (const Target& target : targets()) {
    EXPECT_EQ(product(target, denormal, large, 1, false), 0) << target.name;
    EXPECT_EQ(product(target, large, denormal, 2, true), 2) << target.name;
    EXPECT_EQ(product(target, small, small, 1, false), 0) << target.name;         // 1e-40, made here
    EXPECT_EQ(product(target, small, 1e-30f, denormal, true), 0) << target.name;  // of C
  }
  EXPECT_GT(denormal * large, 0);  // and everybody else goes on with them
}

TEST(GemmSerial, NanAndInfinityTravel) {
  const float inf = HUGE_VALF;
  const std::vector<float> a{inf, 1, 2, 3}, b{0, 1, 1, -inf};
  float c[4];
  gemm_serial(Gemm<float>{.m = 2,
                          .n = 2,
                          .k = 2,
                          .a = a.data(),
                          .a_row = 2,
                          .a_col = 1,
                          .b = b.data(),
                          .b_row = 2,
                          .b_col = 1,
                          .c = c,
                          .c_row = 2});
  EXPECT_TRUE(std::isnan(c[0]) && std::isnan(c[1]));
  EXPECT_EQ(c[2], 3);
  EXPECT_EQ(c[3], -inf);
}

}  // namespace
}  // namespace plumb::cpu
