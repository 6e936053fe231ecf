// CpuBackend::matmul: batches, broadcasting, threads and mixed dtypes against serial products or the plain loop, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/cpu/backend.h"
#include "core/cpu/gemm.h"
#include "core/cpu/isa.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

// Memory of any floating dtype, and a window on it.
struct Block {
  std::vector<std::byte> bytes;
  Raw raw;

  Block(DType t, const Shape& shape, const Strides& strides, std::mt19937& random) : raw{nullptr, t, shape, strides} {
    std::int64_t size = 1;
    for (int d = 0; d < shape.size(); ++d) size += std::max<std::int64_t>(0, shape[d] - 1) * strides[d];
    bytes.resize(static_cast<std::size_t>(size) * size_of(t));
    std::normal_distribution<float> normal;
    visit_dtype(t, [&](auto zero) {
      auto* p = reinterpret_cast<decltype(zero)*>(bytes.data());
      for (std::int64_t i = 0; i < size; ++i) p[i] = decltype(zero)(normal(random));
    });
    raw.data = bytes.data();
  }
  Block(const Block& o) : bytes(o.bytes), raw(o.raw) { raw.data = bytes.data(); }
  Block(DType t, const Shape& shape, std::mt19937& random) : Block(t, shape, row_major(shape), random) {}
};

float f32_at(const Raw& x, std::int64_t offset) {
  if (x.dtype == DType::bf16) return static_cast<float>(static_cast<const Bf16*>(x.data)[offset]);
  return static_cast<const float*>(x.data)[offset];
}

// The plain loop for operands of f32 or bf16 widened to f32.
float element(const kernels::Matmul& m, std::int64_t a, std::int64_t b, float c) {
  const int last = m.a.shape.size() - 1;
  const std::int64_t k = m.a.shape[last], segment = m.k_example > 0 ? m.k_example : std::max<std::int64_t>(k, 1);
  const std::int64_t a_step = m.a.strides[last], b_step = m.b.strides[m.b.shape.size() - 2];
  bool stored = m.accumulate;
  if (!stored) c = 0;
  for (std::int64_t s = 0; s < k; s += segment)
    for (std::int64_t p = s; p < std::min(s + segment, k); p += kernels::Matmul::k_block) {
      float part = 0;
      for (std::int64_t i = p; i < std::min({p + kernels::Matmul::k_block, s + segment, k}); ++i) {
        const float x = f32_at(m.a, a + i * a_step), y = f32_at(m.b, b + i * b_step);
        part = isa() == Isa::baseline ? x * y + part : std::fma(x, y, part);
      }
      c = stored ? c + part : part;
      stored = true;
    }
  return c;
}

// C by the plain loop, for up to two batch dimensions.
void plain(const kernels::Matmul& m) {
  const int dims = m.c.shape.size(), batches = dims - 2;
  const auto step = [&](const Raw& x, int d) { return d < batches ? x.strides[d] : 0; };
  const std::int64_t b0 = batches > 0 ? m.c.shape[0] : 1, b1 = batches > 1 ? m.c.shape[1] : 1;
  for (std::int64_t i0 = 0; i0 < b0; ++i0)
    for (std::int64_t i1 = 0; i1 < b1; ++i1)
      for (std::int64_t i = 0; i < m.c.shape[dims - 2]; ++i)
        for (std::int64_t j = 0; j < m.c.shape[dims - 1]; ++j) {
          const auto at = [&](const Raw& x) { return i0 * step(x, 0) + (batches > 1 ? i1 * step(x, 1) : 0); };
          const std::int64_t c = at(m.c) + i * m.c.strides[dims - 2] + j * m.c.strides[dims - 1];
          const float sum =
              element(m, at(m.a) + i * m.a.strides[dims - 2], at(m.b) + j * m.b.strides[dims - 1], f32_at(m.c, c));
          if (m.c.dtype == DType::bf16) static_cast<Bf16*>(m.c.data)[c] = Bf16(sum);
          else static_cast<float*>(m.c.data)[c] = sum;
        }
}

Block product(const Block& a, const Block& b, const Block& c, bool accumulate = false, std::int64_t k_example = 0) {
  Block out = c;
  CpuBackend().matmul({.a = a.raw, .b = b.raw, .c = out.raw, .accumulate = accumulate, .k_example = k_example});
  return out;
}
void expect_plain(const Block& a, const Block& b, const Block& c, bool accumulate = false, std::int64_t k_example = 0) {
  Block expected = c;
  plain({.a = a.raw, .b = b.raw, .c = expected.raw, .accumulate = accumulate, .k_example = k_example});
  EXPECT_TRUE(expected.bytes == product(a, b, c, accumulate, k_example).bytes)
      << name_of(a.raw.dtype) << to_string(a.raw.shape) << to_string(a.raw.strides) << " x " << name_of(b.raw.dtype)
      << to_string(b.raw.shape) << to_string(b.raw.strides) << " -> " << name_of(c.raw.dtype);
}

TEST(Matmul, BatchesAndBroadcastsEqualThePlainLoop) {
  std::mt19937 random(3);
  for (const bool accumulate : {false, true}) {
    const Block a(DType::f32, {3, 5, 7, 100}, random), c(DType::f32, {3, 5, 7, 33}, random);
    expect_plain(a, Block(DType::f32, {3, 5, 100, 33}, random), c, accumulate);
    expect_plain(a, Block(DType::f32, {3, 5, 100, 33}, {0, 0, 33, 1}, random), c,
                 accumulate);  // one B: taller products
    expect_plain(a, Block(DType::f32, {3, 5, 100, 33}, {0, 3300, 33, 1}, random), c, accumulate);  // a B for each run
    expect_plain(a, Block(DType::f32, {3, 5, 100, 33}, {3300, 0, 1, 100}, random), c, accumulate);
    const Block a_shared(DType::f32, {3, 5, 7, 100}, {0, 0, 100, 1}, random);
    expect_plain(a_shared, Block(DType::f32, {3, 5, 100, 33}, random), c, accumulate);
    // Heads: [B, T, H, d] seen as [B, H, T, d], on both sides.
    const Block q(DType::f32, {3, 5, 7, 100}, {3500, 100, 500, 1}, random);
    expect_plain(q, Block(DType::f32, {3, 5, 100, 33}, random),
                 Block(DType::f32, {3, 5, 7, 33}, {1155, 33, 165, 1}, random));
  }
}

TEST(Matmul, WeightGradientsFoldExampleByExample) {
  std::mt19937 random(4);
  for (const std::int64_t k_example : {1, 12, 96, 120}) {
    const Block x(DType::f32, {480, 40}, random), dy(DType::f32, {480, 70}, random), dw(DType::f32, {40, 70}, random);
    Block x_across = x;
    x_across.raw.shape = {40, 480}, x_across.raw.strides = {1, 40};
    expect_plain(x_across, dy, dw, true, k_example);
    // Example after example into the same sum: the same bits as all at once.
    const Block at_once = product(x_across, dy, dw, true, k_example);
    Block one_by_one = dw;
    for (std::int64_t k = 0; k < 480; k += k_example) {
      Raw a = x_across.raw, b = dy.raw;
      a.shape = {40, k_example}, a.data = static_cast<float*>(a.data) + k * 40;
      b.shape = {k_example, 70}, b.data = static_cast<float*>(b.data) + k * 70;
      CpuBackend().matmul({.a = a, .b = b, .c = one_by_one.raw, .accumulate = true});
    }
    EXPECT_TRUE(at_once.bytes == one_by_one.bytes) << k_example;
  }
}

TEST(Matmul, ThreadsDoNotChangeTheBits) {
  std::mt19937 random(5);
  const int before = num_threads();
  for (const DType t : {DType::f64, DType::f32, DType::bf16}) {
    const Block a(t, {2, 301, 500}, random), b(t, {2, 500, 203}, random), c(t, {2, 301, 203}, random);
    set_num_threads(1);
    const Block one = product(a, b, c, true, 130);
    for (const int threads : {2, 3, 7}) {
      set_num_threads(threads);
      EXPECT_TRUE(one.bytes == product(a, b, c, true, 130).bytes) << name_of(t) << " " << threads;
    }
  }
  set_num_threads(before);
}

TEST(Matmul, SeveralAtOnceAreEachAsAlone) {
  std::mt19937 random(5);
  CpuBackend backend;
  const int before = num_threads();
  const Shape sizes[] = {{130, 70, 65}, {1, 5, 3}, {0, 4, 4}, {40, 512, 96}, {7, 33, 0}, {200, 96, 31}};  // M, N, K
  std::vector<Block> a, b, alone;
  for (const Shape& s : sizes) {
    a.emplace_back(DType::f32, Shape{s[0], s[2]}, random);
    b.emplace_back(DType::f32, Shape{s[2], s[1]}, random);
    alone.emplace_back(DType::f32, Shape{s[0], s[1]}, random);
  }
  std::vector<Block> together = alone;
  std::vector<kernels::Matmul> all;
  for (std::size_t i = 0; i < a.size(); ++i) {
    all.push_back({.a = a[i].raw, .b = b[i].raw, .c = alone[i].raw, .accumulate = i % 2 == 1});
    backend.matmul(all.back());
    all.back().c = together[i].raw;
  }
  set_num_threads(3);
  backend.matmuls(all);
  set_num_threads(before);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(together[i].bytes, alone[i].bytes) << "product " << i;
}

TEST(Matmul, EmptyDimensionsAreLegal) {
  std::mt19937 random(6);
  const Block none(DType::f32, {4, 0}, random), also_none(DType::f32, {0, 5}, random), c(DType::f32, {4, 5}, random);
  EXPECT_TRUE(product(none, also_none, c, true).bytes == c.bytes);
  const Block zeros = product(none, also_none, c);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(0.0f, f32_at(zeros.raw, i));
  product(Block(DType::f32, {0, 3, 4}, random), Block(DType::f32, {0, 4, 5}, random),
          Block(DType::f32, {0, 3, 5}, random));
  product(Block(DType::f32, {0, 4}, random), Block(DType::f32, {4, 5}, random), Block(DType::f32, {0, 5}, random));
}

TEST(Matmul, MixedDtypesWidenExactly) {
  std::mt19937 random(7);
  for (const bool accumulate : {false, true})
    for (const DType out : {DType::f32, DType::bf16}) {
      const Block c(out, {65, 37}, random);
      const Block a(DType::f32, {65, 200}, random), b(DType::bf16, {200, 37}, random);
      expect_plain(a, b, c, accumulate);
      expect_plain(Block(DType::bf16, {65, 200}, {1, 65}, random), Block(DType::f32, {200, 37}, {1, 200}, random), c,
                   accumulate);
      if (!has_bf16_dot()) expect_plain(Block(DType::bf16, {65, 200}, random), b, c, accumulate);
    }
}

// bf16 has an order of its own on each instruction set; whatever it is, an element depends on its row and column alone.
TEST(Matmul, AnElementOfABf16ProductDependsOnItsRowAndColumnAlone) {
  std::mt19937 random(8);
  for (int round = 0; round < 40; ++round) {
    const std::int64_t m = 1 + random() % 40, n = 1 + random() % 80, k = 1 + random() % 300;
    const std::int64_t k_example = std::vector<std::int64_t>{0, 1, 7, 50, 97}[random() % 5];
    const bool across_a = random() % 2, across_b = random() % 2, accumulate = random() % 2;
    const Block a(DType::bf16, {m, k}, across_a ? Strides{1, m} : Strides{k + 3, 1}, random);
    const Block b(DType::bf16, {k, n}, across_b ? Strides{1, k + 5} : Strides{2 * n, random() % 2 ? 1 : 2}, random);
    const Block c(DType::f32, {m, n}, random);
    const Block all = product(a, b, c, accumulate, k_example);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        float one = f32_at(c.raw, i * n + j), scale = std::abs(one);
        gemm_serial(AnyGemm{.m = 1,
                            .n = 1,
                            .k = k,
                            .a = static_cast<const Bf16*>(a.raw.data) + i * a.raw.strides[0],
                            .a_dtype = DType::bf16,
                            .a_row = a.raw.strides[0],
                            .a_col = a.raw.strides[1],
                            .b = static_cast<const Bf16*>(b.raw.data) + j * b.raw.strides[1],
                            .b_dtype = DType::bf16,
                            .b_row = b.raw.strides[0],
                            .b_col = b.raw.strides[1],
                            .c = &one,
                            .c_row = 1,
                            .accumulate = accumulate,
                            .k_example = k_example});
        ASSERT_EQ(one, f32_at(all.raw, i * n + j)) << m << "x" << k << "x" << n << " at " << i << "," << j;
        double exact = accumulate ? f32_at(c.raw, i * n + j) : 0;
        for (std::int64_t q = 0; q < k; ++q) {
          const double x = f32_at(a.raw, i * a.raw.strides[0] + q * a.raw.strides[1]) *
                           static_cast<double>(f32_at(b.raw, q * b.raw.strides[0] + j * b.raw.strides[1]));
          exact += x, scale += std::abs(static_cast<float>(x));
        }
        ASSERT_NEAR(exact, one, 1e-6 * scale * 10 + 1e-7);
      }
  }
}

TEST(Matmul, PeakIsMeasured) { EXPECT_GT(measure_peak_gflops(DType::f32, 1), 0.1); }

}  // namespace
}  // namespace plumb::cpu
