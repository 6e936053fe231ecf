// Linear, embedding, norms, convolution and pooling against plain loops; what their parameters say of themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nn/layers.h"
#include "tests/files_support.h"
#include "tests/plain_layers.h"

namespace plumb::nn {
namespace {

using plain::Rows;
using test::error_of;
using testing::HasSubstr;

void expect_close(const Tensor& got, const std::vector<double>& want, double by = 1e-12) {
  const auto x = got.to_vector<double>();
  ASSERT_EQ(x.size(), want.size());
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], want[i], by * (1 + std::abs(want[i]))) << "at " << i;
}

TEST(Linear, IsTheProductWithTheTransposedWeightPlusBias) {
  for (const bool bias : {false, true})
    for (const auto& [rows, in, out] : std::vector<std::array<std::int64_t, 3>>{{1, 1, 1}, {3, 5, 7}, {2, 193, 17}}) {
      Linear layer(in, out, {.bias = bias});
      Arena arena(layer, Key(1), DType::f64);
      plain::scramble(arena, Key(2));
      const plain::Weights w(layer);
      const Tensor x = Key(3).normal({rows, in}, 0, 1, DType::f64);
      const Rows want = plain::linear(Rows(x), w.rows("weight"), w.values("bias"));
      expect_close(layer(x).value(), want.v);
      expect_close(layer(x.reshape({rows, 1, in})).value(), want.v);
    }
}

TEST(Linear, PackedRunsEachUseTheirOwnWeights) {
  Linear packed(5, 3, {.bias = true, .runs = 4}), lone(5, 3, {.bias = true});
  Arena all(packed, Key(1), DType::f64), one(lone, Key(2), DType::f64);
  plain::scramble(all, Key(3));
  EXPECT_EQ(packed.weight_parameter.shape, (Shape{4, 3, 5}));
  const Tensor x = Key(4).normal({4, 2, 6, 5}, 0, 1, DType::f64);
  const Tensor y = packed(x).value();
  for (std::int64_t r = 0; r < 4; ++r) {
    for (std::size_t s = 0; s < 2; ++s) one.value(one.slots()[s]).copy_(all.value(all.slots()[s]).select(0, r));
    EXPECT_TRUE(same_bits(lone(x.select(0, r).contiguous()).value(), y.select(0, r).contiguous())) << r;
  }
}

TEST(Embedding, GivesTheRowsOfItsTable) {
  Embedding layer(7, 3, 1.0);
  Arena arena(layer, Key(1));
  const std::vector<std::int64_t> tokens{6, 0, 0, 3};
  const Tensor y = layer(Tensor::from(tokens, {2, 2})).value();
  ASSERT_EQ(y.shape(), (Shape{2, 2, 3}));
  const auto table = layer.table.var.value().to_vector<float>(), got = y.to_vector<float>();
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(got[i], table[static_cast<std::size_t>(tokens[i / 3]) * 3 + i % 3]);
  EXPECT_THAT(error_of([&] { layer(Tensor::of<std::int64_t>({7})); }), HasSubstr("7 at position 0 is outside [0, 7)"));
  EXPECT_THAT(error_of([&] { layer(Tensor::of<std::int64_t>({0, -1})); }), HasSubstr("-1 at position 1"));
}

TEST(Norm, EveryKindIsItsFormula) {
  for (const auto kind : {NormKind::layernorm, NormKind::rmsnorm})
    for (const bool bias : {false, true})
      for (const bool offset : {false, true})
        for (const std::int64_t n : {1, 7, 100}) {
          Norm layer(n, {.kind = kind, .bias = bias, .eps = 1e-3, .unit_offset = offset});
          Arena arena(layer, Key(1), DType::f64);
          plain::scramble(arena, Key(2));
          const plain::Weights w(layer);
          auto gain = w.values("gain");
          if (offset)
            for (double& g : gain) g += 1;
          const Tensor x = Key(3).normal({5, n}, 2, 3, DType::f64);
          expect_close(layer(x).value(),
                       plain::normalised(Rows(x), kind == NormKind::layernorm, 1e-3, gain, w.values("bias")).v);
        }
}

TEST(Norm, StartsAsTheBareNormWithOrWithoutAnOffset) {
  const Tensor x = Key(3).normal({4, 6}, 1, 2, DType::f64);
  Norm plain_gain(6, {.kind = NormKind::rmsnorm}), offset(6, {.kind = NormKind::rmsnorm, .unit_offset = true});
  Arena a(plain_gain, Key(1), DType::f64), b(offset, Key(1), DType::f64);
  EXPECT_EQ(plain_gain.gain.var.value().to_vector<double>(), std::vector<double>(6, 1));
  EXPECT_EQ(offset.gain.var.value().to_vector<double>(), std::vector<double>(6, 0));
  expect_close(plain_gain(x).value(), plain::normalised(Rows(x), false, 1e-6).v);
  expect_close(offset(x).value(), plain::normalised(Rows(x), false, 1e-6).v);
}

TEST(Conv2d, IsTheSumOverItsWindow) {
  struct Case {
    std::int64_t in, out, h, w;
    int k, stride, padding;
  };
  for (const auto& [in, out, h, w, k, stride, padding] :
       {Case{1, 1, 1, 1, 1, 1, 0}, Case{3, 2, 5, 7, 3, 1, 1}, Case{2, 5, 8, 6, 3, 2, 0}, Case{2, 3, 7, 7, 5, 3, 2}}) {
    Conv2d layer(in, out, k, stride, padding);
    Arena arena(layer, Key(1), DType::f64);
    plain::scramble(arena, Key(2));
    const Tensor x = Key(3).normal({2, in, h, w}, 0, 1, DType::f64);
    const auto xs = x.to_vector<double>(), ws = layer.weight.var.value().to_vector<double>(),
               bs = layer.bias.var.value().to_vector<double>();
    const std::int64_t hh = (h + 2 * padding - k) / stride + 1, ww = (w + 2 * padding - k) / stride + 1;
    std::vector<double> want;
    for (std::int64_t b = 0; b < 2; ++b)
      for (std::int64_t o = 0; o < out; ++o)
        for (std::int64_t i = 0; i < hh; ++i)
          for (std::int64_t j = 0; j < ww; ++j) {
            double sum = bs[static_cast<std::size_t>(o)];
            for (std::int64_t c = 0; c < in; ++c)
              for (std::int64_t di = 0; di < k; ++di)
                for (std::int64_t dj = 0; dj < k; ++dj) {
                  const std::int64_t y = i * stride + di - padding, z = j * stride + dj - padding;
                  if (y < 0 || y >= h || z < 0 || z >= w) continue;
                  sum += xs[static_cast<std::size_t>(((b * in + c) * h + y) * w + z)] *
                         ws[static_cast<std::size_t>(((o * in + c) * k + di) * k + dj)];
                }
            want.push_back(sum);
          }
    const Tensor y = layer(x).value();
    EXPECT_EQ(y.shape(), (Shape{2, out, hh, ww}));
    expect_close(y, want);
  }
}

TEST(Pooling, TakesTheLargestOrTheMeanOfEachWindow) {
  const Tensor x = Key(3).normal({2, 3, 6, 4}, 0, 1, DType::f64);
  const auto xs = x.to_vector<double>();
  std::vector<double> most, mean;
  for (std::size_t plane = 0; plane < 6; ++plane)
    for (std::size_t i = 0; i < 6; i += 2)
      for (std::size_t j = 0; j < 4; j += 2) {
        const auto at = [&](std::size_t di, std::size_t dj) { return xs[plane * 24 + (i + di) * 4 + j + dj]; };
        most.push_back(std::max({at(0, 0), at(0, 1), at(1, 0), at(1, 1)}));
        mean.push_back((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4);
      }
  expect_close(max_pool2d(x, 2).value(), most, 0);
  expect_close(avg_pool2d(x, 2).value(), mean, 1e-15);
  EXPECT_THAT(error_of([&] { max_pool2d(x, 4); }), HasSubstr("windows of 4 do not tile [2,3,6,4]"));
}

TEST(Layers, MistakesAreNamed) {
  EXPECT_THAT(error_of([] { Linear(0, 3); }), HasSubstr("a linear layer from 0 to 3 makes no sense"));
  Linear layer(5, 3);
  Arena arena(layer, Key(1));
  EXPECT_THAT(error_of([&] { layer(Tensor::zeros({2, 4})); }), HasSubstr("[linear]"));
  EXPECT_THAT(error_of([&] { layer(Tensor::zeros({2, 5}, DType::f64)); }), HasSubstr("f64"));
  Conv2d conv(3, 2, 3);
  Arena second(conv, Key(1));
  EXPECT_THAT(error_of([&] { conv(Tensor::zeros({1, 4, 5, 5})); }), HasSubstr("does not fit weight [2,3,3,3]"));
  EXPECT_THAT(error_of([&] { conv(Tensor::zeros({1, 3, 2, 5})); }), HasSubstr("a kernel of 3 does not fit"));
}

TEST(Activation, EveryNameIsItsFunction) {
  const Tensor x = Key(3).normal({50}, 0, 3, DType::f64);
  for (const char* name : {"gelu", "gelu_tanh", "relu", "silu"}) {
    std::vector<double> want;
    for (const double v : x.to_vector<double>()) want.push_back(plain::activation(name, v));
    expect_close(activate(parse_activation(name), x).value(), want);
  }
  EXPECT_EQ(parse_activation("swiglu"), Activation::swiglu);
  EXPECT_THAT(error_of([] { parse_activation("gelo"); }), HasSubstr("\"gelo\" is not an activation"));
}

}  // namespace
}  // namespace plumb::nn
