// Reductions against plain loops: the stated tree bit for bit, any axes and strides, any number of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "core/cpu/reduce.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "tests/core/isa_cases.h"

namespace plumb {
namespace {

using kernels::Reduce;

template <class T>
std::vector<T> noise(std::int64_t n, std::uint32_t seed = 1) {
  std::vector<T> x(static_cast<std::size_t>(n));
  for (auto& v : x)
    v = static_cast<T>(static_cast<std::int32_t>(seed = seed * 1664525u + 1013904223u)) * static_cast<T>(0x1p-31);
  return x;
}

// The tree of core/cpu/reduce.h, written as it is stated there.
template <class T>
T stated_sum(const std::vector<T>& x) {
  std::vector<T> blocks;
  for (std::size_t first = 0; first < x.size(); first += 1024) {
    T lane[32] = {};
    for (std::size_t i = first; i < std::min(x.size(), first + 1024); ++i) lane[(i - first) % 32] += x[i];
    for (int half = 16; half > 0; half /= 2)
      for (int l = 0; l < half; ++l) lane[l] += lane[l + half];
    blocks.push_back(lane[0]);
  }
  while (blocks.size() > 1) {
    std::vector<T> next;
    for (std::size_t i = 0; i < blocks.size(); i += 2)
      next.push_back(i + 1 < blocks.size() ? blocks[i] + blocks[i + 1] : blocks[i]);
    blocks = next;
  }
  return blocks.empty() ? T{} : blocks[0];
}

Tensor reduced(Reduce op, const Tensor& x, const Dims& axes, DType t) {
  Shape shape = x.shape();
  for (const auto a : axes) shape[static_cast<int>(a)] = 1;
  Tensor out = Tensor::empty(shape, t);
  backend(Device{}).reduce(op, x.view(), out.view());
  return out;
}

template <class T>
void expect_stated_sums(const Tensor& x, const Dims& axes) {
  const Tensor got = reduced(Reduce::sum, x, axes, dtype_of<T>);
  const std::vector<T> values = x.to_vector<T>();  // row-major
  const Shape shape = x.shape();
  std::vector<std::vector<T>> groups(static_cast<std::size_t>(got.numel()));
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    std::int64_t rest = i, to = 0, scale = 1;
    for (int d = shape.size() - 1; d >= 0; --d) {
      const std::int64_t k = rest % shape[d];
      rest /= shape[d];
      if (got.shape()[d] == 1) continue;
      to += k * scale;
      scale *= shape[d];
    }
    groups[static_cast<std::size_t>(to)].push_back(values[static_cast<std::size_t>(i)]);
  }
  const std::vector<T> sums = got.to_vector<T>();
  for (std::size_t g = 0; g < groups.size(); ++g)
    ASSERT_EQ(sums[g], stated_sum(groups[g])) << to_string(shape) << " over " << to_string(axes) << " at " << g;
}

TEST(Reduce, SumsFollowTheStatedTreeOverAnyAxes) {
  const std::pair<Shape, std::vector<Dims>> cases[] = {{{7}, {{0}}},
                                                       {{1}, {{0}}},
                                                       {{5000}, {{0}}},
                                                       {{3, 33}, {{0}, {1}, {0, 1}}},
                                                       {{70, 45}, {{0}, {1}}},
                                                       {{2500, 33}, {{0}, {1}, {0, 1}}},
                                                       {{4, 5, 6}, {{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}}},
                                                       {{3, 1100, 2, 5}, {{1}, {0, 2}, {1, 3}, {0, 3}}},
                                                       {{2, 1, 3}, {{1}, {0, 1}}}};
  for (const auto& [shape, lists] : cases)
    for (const Dims& axes : lists) {
      expect_stated_sums<float>(Tensor::from(noise<float>(numel(shape)), shape), axes);
      expect_stated_sums<double>(Tensor::from(noise<double>(numel(shape)), shape), axes);
    }
}

TEST(Reduce, StridesDoNotChangeTheSum) {
  const Tensor x = Tensor::from(noise<float>(6 * 50 * 40), {6, 50, 40});
  for (const Dims& axes : {Dims{0}, Dims{1}, Dims{2}, Dims{0, 2}, Dims{1, 2}}) {
    expect_stated_sums<float>(x.transpose(0, 2), axes);
    expect_stated_sums<float>(x.transpose(1, 2), axes);
    expect_stated_sums<float>(x.slice(1, 3, 48, 3), axes);
    expect_stated_sums<float>(x.slice(0, 0, 1).expand({6, 50, 40}), axes);
  }
}

TEST(Reduce, TheNumberOfThreadsAndOfNeighboursDoesNotMatter) {
  const int before = num_threads();
  const Tensor x = Tensor::from(noise<float>(400000), {400, 1000});
  for (const Dims& axes : {Dims{0}, Dims{1}, Dims{0, 1}}) {
    set_num_threads(1);
    const Tensor one = reduced(Reduce::sum, x, axes, DType::f32);
    for (const int n : {2, 3, 5}) {
      set_num_threads(n);
      EXPECT_TRUE(same_bits(one, reduced(Reduce::sum, x, axes, DType::f32)));
    }
  }
  set_num_threads(before);
  const Tensor all = reduced(Reduce::sum, x, {1}, DType::f32);
  for (const std::int64_t row : {0, 17, 399})
    EXPECT_TRUE(same_bits(all.slice(0, row, row + 1), reduced(Reduce::sum, x.slice(0, row, row + 1), {1}, DType::f32)));
}

TEST(Reduce, Bf16IsSummedInF32AndF32MayBeSummedInF64) {
  const Tensor x = Tensor::from(noise<float>(3 * 3000), {3, 3000}), b = x.to(DType::bf16);
  for (const Dims& axes : {Dims{0}, Dims{1}}) {
    const Tensor wide = reduced(Reduce::sum, b.to(DType::f32), axes, DType::f32);
    EXPECT_TRUE(same_bits(wide, reduced(Reduce::sum, b, axes, DType::f32)));
    EXPECT_TRUE(same_bits(wide.to(DType::bf16), reduced(Reduce::sum, b, axes, DType::bf16)));
    EXPECT_TRUE(
        same_bits(reduced(Reduce::sum, x.to(DType::f64), axes, DType::f64), reduced(Reduce::sum, x, axes, DType::f64)));
  }
}

TEST(Reduce, ExtremesPropagateNaN) {
  for (const std::int64_t n : {5, 40, 3000}) {
    std::vector<float> x = noise<float>(n);
    EXPECT_EQ(reduced(Reduce::max, Tensor::from(x, {n}), {0}, DType::f32).item(),
              *std::max_element(x.begin(), x.end()));
    EXPECT_EQ(reduced(Reduce::min, Tensor::from(x, {n}), {0}, DType::f32).item(),
              *std::min_element(x.begin(), x.end()));
    for (const std::int64_t at : {std::int64_t{0}, n / 2, n - 1}) {
      auto y = x;
      y[static_cast<std::size_t>(at)] = std::numeric_limits<float>::quiet_NaN();
      for (const Reduce op : {Reduce::max, Reduce::min, Reduce::sum}) {
        EXPECT_TRUE(std::isnan(reduced(op, Tensor::from(y, {n}), {0}, DType::f32).item())) << n << " " << at;
        EXPECT_TRUE(
            std::isnan(reduced(op, Tensor::from(y, {n, 1}).expand({n, 3}), {0}, DType::f32).select(1, 1).item()));
      }
    }
  }
}

TEST(Reduce, IntegersAreExactAndMasksCanBeCounted) {
  std::vector<std::int64_t> x(6000);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] = static_cast<std::int64_t>(i * i) - 1000000;
  EXPECT_EQ(reduced(Reduce::sum, Tensor::from(x, {60, 100}), {0, 1}, DType::i64).to_vector<std::int64_t>()[0], sum);
  EXPECT_EQ(reduced(Reduce::min, Tensor::from(x, {60, 100}), {0, 1}, DType::i64).item(), -1000000);
  EXPECT_EQ(reduced(Reduce::sum, Tensor::full({1000}, 1, DType::u8), {0}, DType::i64).item(), 1000);
}

TEST(Reduce, OfNothingIsTheNeutralElement) {
  EXPECT_EQ(reduced(Reduce::sum, Tensor::zeros({0, 3}), {0}, DType::f32).to_vector<float>(),
            (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(reduced(Reduce::max, Tensor::zeros({0}), {0}, DType::f32).item(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(reduced(Reduce::sum, Tensor::zeros({3, 0}), {0}, DType::f32).numel(), 0);
}

TEST(Reduce, EveryInstructionSetAddsAlike) {
  const std::vector<float> x = noise<float>(1024 * 37);
  const auto tables =
      test::runnable<cpu::ReduceTable>(cpu::baseline::reduce_table, cpu::avx2::reduce_table, cpu::avx512::reduce_table);
  for (const std::int64_t n : {1, 15, 33, 1000, 1024})
    for (const auto& [isa, table] : tables) {
      EXPECT_EQ(table->f32.block(Reduce::sum, x.data(), n), tables[0].table->f32.block(Reduce::sum, x.data(), n))
          << isa;
      EXPECT_EQ(table->square_block_f32(x.data(), n), tables[0].table->square_block_f32(x.data(), n)) << isa;
      std::vector<float> a(37), b(37), c(37), d(37);
      table->f32.block_columns(Reduce::sum, x.data(), 37, n, 37, a.data());
      tables[0].table->f32.block_columns(Reduce::sum, x.data(), 37, n, 37, b.data());
      table->f32.add_rows(x.data(), 37, n, 37, c.data());
      tables[0].table->f32.add_rows(x.data(), 37, n, 37, d.data());
      EXPECT_EQ(a, b) << isa;
      EXPECT_EQ(c, d) << isa;
    }
}

TEST(FoldRows, EightExamplesEqualFourAndFourAndEightTimesOne) {
  const std::int64_t runs = 2, examples = 8, rows = 13, n = 77;
  const Tensor x = Tensor::from(noise<float>(runs * examples * rows * n), {runs, examples, rows, n});
  const auto fold = [&](std::int64_t step, const Tensor& from) {
    Tensor out = Tensor::full({runs, n}, 0.25);
    for (std::int64_t e = 0; e < examples; e += step)
      backend(Device{}).fold_rows(from.slice(1, e, e + step).contiguous().view(), out.view());
    return out;
  };
  const Tensor whole = fold(8, x);
  EXPECT_TRUE(same_bits(whole, fold(4, x)));
  EXPECT_TRUE(same_bits(whole, fold(1, x)));
  Tensor padded = Tensor::zeros({runs, examples, rows + 5, n});
  padded.slice(2, 0, rows).copy_(x);
  EXPECT_TRUE(same_bits(whole, fold(8, padded)));

  const auto v = x.to_vector<float>(), got = whole.to_vector<float>();
  for (std::int64_t r = 0; r < runs; ++r)
    for (std::int64_t c = 0; c < n; ++c) {
      float out = 0.25f;
      for (std::int64_t e = 0; e < examples; ++e) {
        float sum = 0;
        for (std::int64_t t = 0; t < rows; ++t)
          sum += v[static_cast<std::size_t>(((r * examples + e) * rows + t) * n + c)];
        out += sum;
      }
      ASSERT_EQ(got[static_cast<std::size_t>(r * n + c)], out);
    }
}

TEST(SumOfSquares, IsAccurateAndIndependentOfThreads) {
  const Tensor x = Tensor::from(noise<float>(100001), {100001});
  long double exact = 0;
  for (const float v : x.to_vector<float>()) exact += static_cast<long double>(v) * v;
  const int before = num_threads();
  set_num_threads(1);
  const double one = backend(Device{}).sum_of_squares(x.view());
  set_num_threads(3);
  EXPECT_EQ(one, backend(Device{}).sum_of_squares(x.view()));
  set_num_threads(before);
  EXPECT_NEAR(one, static_cast<double>(exact), 1e-15 * one);
  EXPECT_EQ(backend(Device{}).sum_of_squares(Tensor::zeros({0}).view()), 0);
}

TEST(ArgMax, TakesTheLowestIndexOfTiesAndTheFirstNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from(std::vector<float>{1, 3, 3, 0, -1, -5, nan, 9}, {2, 4});
  Tensor rows = Tensor::empty({2, 1}, DType::i64), columns = Tensor::empty({1, 4}, DType::i64);
  backend(Device{}).arg_max(x.view(), 1, rows.view());
  backend(Device{}).arg_max(x.view(), 0, columns.view());
  EXPECT_EQ(rows.to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(columns.to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 0, 1, 1}));
}

TEST(Cumsum, RunsAlongAnyAxisBothWays) {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const auto run = [&](int axis, bool reverse) {
    Tensor out = Tensor::empty({2, 3});
    backend(Device{}).cumsum(x.view(), axis, reverse, out.view());
    return out.to_vector<float>();
  };
  EXPECT_EQ(run(1, false), (std::vector<float>{1, 3, 6, 4, 9, 15}));
  EXPECT_EQ(run(1, true), (std::vector<float>{6, 5, 3, 15, 11, 6}));
  EXPECT_EQ(run(0, false), (std::vector<float>{1, 2, 3, 5, 7, 9}));
}

TEST(Argsort, IsStableAndPutsNaNAsTheGreatest) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from(std::vector<float>{2, nan, 1, 2, 1}, {1, 5});
  Tensor out = Tensor::empty({1, 5}, DType::i64);
  backend(Device{}).argsort(x.view(), false, out.view());
  EXPECT_EQ(out.to_vector<std::int64_t>(), (std::vector<std::int64_t>{2, 4, 0, 3, 1}));
  backend(Device{}).argsort(x.view(), true, out.view());
  EXPECT_EQ(out.to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 0, 3, 2, 4}));
}

}  // namespace
}  // namespace plumb
