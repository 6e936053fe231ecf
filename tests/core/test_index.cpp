// Indexing and columns against plain loops, the order of additions included.
#include <gtest/gtest.h>

#include <vector>

#include "core/parallel.h"
#include "core/random.h"
#include "core/tensor.h"

namespace plumb {
namespace {

Backend& on_cpu() { return backend(Device{}); }
std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

Tensor indices(const Shape& shape, std::uint64_t below, std::uint64_t seed = 1) {
  std::vector<std::int64_t> x(at(numel(shape)));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::int64_t>(Key(seed).below(below, i));
  return Tensor::from(x, shape);
}

TEST(Gather, TakesAlongAnyAxisOfAnyStrides) {
  const Tensor base = Key(1).normal({5, 4, 6});
  for (const bool flipped : {false, true})
    for (int axis = 0; axis < 3; ++axis) {
      const Tensor x = flipped ? base.transpose(0, 2) : base;
      Shape shape = x.shape();
      shape[axis] = 3;
      const Tensor index = indices(shape, static_cast<std::uint64_t>(x.size(axis)));
      Tensor out = Tensor::empty(shape);
      on_cpu().gather(x.view(), index.view(), axis, out.view());
      const auto xv = x.to_vector<float>(), ov = out.to_vector<float>();
      const auto iv = index.to_vector<std::int64_t>();
      for (std::int64_t a = 0, i = 0; a < shape[0]; ++a)
        for (std::int64_t b = 0; b < shape[1]; ++b)
          for (std::int64_t c = 0; c < shape[2]; ++c, ++i) {
            std::int64_t from[] = {a, b, c};
            from[axis] = iv[at(i)];
            ASSERT_EQ(ov[at(i)], xv[at((from[0] * x.size(1) + from[1]) * x.size(2) + from[2])]);
          }
    }
}

TEST(ScatterAdd, AddsInOrderOfPosition) {
  const Tensor x = Key(2).normal({3, 50}), index = indices({3, 50}, 7);
  const auto xv = x.to_vector<float>();
  const auto iv = index.to_vector<std::int64_t>();
  std::vector<float> expected(21, 0.5f);
  for (std::int64_t r = 0; r < 3; ++r)
    for (std::int64_t i = 0; i < 50; ++i) expected[at(r * 7 + iv[at(r * 50 + i)])] += xv[at(r * 50 + i)];
  Tensor out = Tensor::full({3, 7}, 0.5);
  on_cpu().scatter_add(index.view(), x.view(), 1, out.view());
  EXPECT_EQ(out.to_vector<float>(), expected);
  Tensor turned = Tensor::full({7, 3}, 0.5);
  on_cpu().scatter_add(index.transpose(0, 1).view(), x.transpose(0, 1).view(), 0, turned.view());
  EXPECT_EQ(turned.transpose(0, 1).to_vector<float>(), expected);
}

TEST(TakeRows, ReadsEachRunsOwnTable) {
  const Tensor table = Key(3).normal({2, 11, 5}), index = indices({2, 30}, 11);
  for (const DType t : {DType::f32, DType::bf16}) {
    Tensor out = Tensor::empty({2, 30, 5}, t);
    on_cpu().take_rows(table.view(), index.view(), out.view());
    for (std::int64_t r = 0; r < 2; ++r)
      for (std::int64_t i = 0; i < 30; ++i) {
        const std::int64_t row = index.select(0, r).to_vector<std::int64_t>()[at(i)];
        EXPECT_TRUE(same_bits(out.select(0, r).select(0, i).contiguous(),
                              table.select(0, r).select(0, row).to(t).contiguous()));
      }
  }
}

TEST(AddToRows, AddsInOrderWhateverTheThreadsAndTheWidth) {
  const int before = num_threads();
  for (const std::int64_t d : {3, 70, 200})
    for (const DType t : {DType::f32, DType::bf16}) {
      const Tensor x = Key(4).normal({2, 900, d}).to(t), index = indices({2, 900}, 13);
      const auto xv = x.to_vector<float>();
      const auto iv = index.to_vector<std::int64_t>();
      std::vector<float> expected(at(2 * 13 * d), 0.25f);
      for (std::int64_t r = 0; r < 2; ++r)
        for (std::int64_t i = 0; i < 900; ++i)
          for (std::int64_t c = 0; c < d; ++c)
            expected[at((r * 13 + iv[at(r * 900 + i)]) * d + c)] += xv[at((r * 900 + i) * d + c)];
      for (const int threads : {1, 2, 3}) {
        set_num_threads(threads);
        Tensor table = Tensor::full({2, 13, d}, 0.25);
        on_cpu().add_to_rows(index.view(), x.view(), table.view());
        EXPECT_EQ(table.to_vector<float>(), expected) << d << " columns, " << threads << " threads";
      }
    }
  set_num_threads(before);
}

TEST(IndexInRange, LooksAtEveryElementOnce) {
  Tensor x = Tensor::arange(12).reshape({3, 4});
  EXPECT_TRUE(on_cpu().index_in_range(x.view(), 0, 12));
  EXPECT_FALSE(on_cpu().index_in_range(x.view(), 1, 12));
  EXPECT_FALSE(on_cpu().index_in_range(x.view(), 0, 11));
  EXPECT_TRUE(on_cpu().index_in_range(x.slice(1, 0, 2).view(), 0, 10));
  EXPECT_TRUE(on_cpu().index_in_range(Tensor::zeros({0, 4}, DType::i64).view(), 5, 5));
  EXPECT_TRUE(on_cpu().index_in_range(Tensor::zeros({4, 0}, DType::i64).view(), 5, 5));
  EXPECT_FALSE(on_cpu().index_in_range(Tensor::full({}, 5, DType::i64).view(), 0, 5));
}

TEST(Columns, HoldThePatchesAndGoBackByTheTranspose) {
  for (const auto& [kernel, stride, padding] : {std::tuple{3, 1, 1}, {2, 2, 0}, {3, 2, 1}, {1, 1, 0}}) {
    const std::int64_t h = 6, w = 5, oh = (h + 2 * padding - kernel) / stride + 1,
                       ow = (w + 2 * padding - kernel) / stride + 1;
    const Shape columns_shape{2, 3 * kernel * kernel, oh * ow};
    const Tensor x = Key(5).normal({2, 3, h, w}, 0, 1, DType::f64), g = Key(6).normal(columns_shape, 0, 1, DType::f64);
    Tensor columns = Tensor::empty(columns_shape, DType::f64), back = Tensor::zeros(x.shape(), DType::f64);
    on_cpu().im2col(x.view(), columns.view(), kernel, stride, padding);
    on_cpu().col2im(g.view(), back.view(), kernel, stride, padding);
    const auto xv = x.to_vector<double>(), cv = columns.to_vector<double>(), gv = g.to_vector<double>(),
               bv = back.to_vector<double>();
    std::size_t i = 0;
    for (std::int64_t plane = 0; plane < 6; ++plane)
      for (std::int64_t ky = 0; ky < kernel; ++ky)
        for (std::int64_t kx = 0; kx < kernel; ++kx)
          for (std::int64_t oy = 0; oy < oh; ++oy)
            for (std::int64_t ox = 0; ox < ow; ++ox, ++i) {
              const std::int64_t y = oy * stride + ky - padding, z = ox * stride + kx - padding;
              const bool inside = y >= 0 && y < h && z >= 0 && z < w;
              ASSERT_EQ(cv[i], inside ? xv[at((plane * h + y) * w + z)] : 0);
            }
    double forward = 0, backward = 0;  // <im2col(x), g> = <x, col2im(g)>
    for (std::size_t k = 0; k < cv.size(); ++k) forward += cv[k] * gv[k];
    for (std::size_t k = 0; k < xv.size(); ++k) backward += xv[k] * bv[k];
    EXPECT_NEAR(forward, backward, 1e-12);
  }
}

}  // namespace
}  // namespace plumb
