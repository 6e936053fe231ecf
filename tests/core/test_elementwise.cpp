// Elementwise operators over strides, dtypes and threads against plain loops; maths itself is in test_vmath.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "core/random.h"
#include "core/tensor.h"

namespace plumb {
namespace {

using kernels::Binary;
using kernels::Unary;

Backend& on_cpu() { return backend(Device{}); }
constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

Tensor binary(Binary op, const Tensor& a, const Tensor& b, DType t) {
  Tensor out = Tensor::empty(a.shape(), t);
  on_cpu().binary(op, a.view(), b.view(), out.view());
  return out;
}

// Windows of one shape in many layouts.
std::vector<Tensor> layouts(const Shape& s, DType t, std::uint64_t seed) {
  const Key key(seed);
  const auto whole = [&](Shape shape) { return key.normal(shape, 0, 1).to(t); };
  return {whole(s),
          whole({s[2], s[1], s[0]}).transpose(0, 2),
          whole({s[0], s[2], s[1]}).transpose(1, 2),
          whole({s[0] * 2, s[1] + 3, s[2] * 3}).slice(0, 0, s[0] * 2, 2).slice(1, 2, s[1] + 2).slice(2, 1, s[2] * 3, 3),
          whole({s[2]}).reshape({1, 1, s[2]}).expand(s),
          whole({s[0], s[1], 1}).expand(s),
          whole({1, s[1], 1}).expand(s),
          whole({1, 1, 1}).expand(s)};
}

TEST(Elementwise, EveryPairOfLayoutsGivesThePlainLoop) {
  for (const Shape& shape : {Shape{3, 4, 5}, Shape{2, 7, 130}, Shape{1, 1, 700}, Shape{40, 30, 1}})
    for (const DType t : {DType::f32, DType::f64, DType::bf16, DType::i64, DType::i32, DType::u8})
      for (const Tensor& a : layouts(shape, t, 1))
        for (const Tensor& b : layouts(shape, t, 2)) {
          const Tensor sum = binary(Binary::sub, a, b, t), less = binary(Binary::less, a, b, DType::u8);
          const auto x = a.to_vector<double>(), y = b.to_vector<double>(), s = sum.to_vector<double>(),
                     l = less.to_vector<double>();
          std::vector<double> expected(x.size());
          for (std::size_t i = 0; i < x.size(); ++i) {
            expected[i] =
                t == DType::f64 || !is_floating(t) ? x[i] - y[i] : static_cast<float>(x[i]) - static_cast<float>(y[i]);
            if (t == DType::bf16) expected[i] = static_cast<float>(Bf16(static_cast<float>(expected[i])));
            if (t == DType::u8) expected[i] = static_cast<std::uint8_t>(static_cast<int>(expected[i]));
            ASSERT_EQ(l[i], x[i] < y[i]);
          }
          ASSERT_EQ(s, expected) << to_string(shape) << " " << name_of(t);
        }
}

TEST(Elementwise, WritesIntoStridedWindowsAndNothingElse) {
  for (const DType t : {DType::f32, DType::bf16}) {
    const Tensor a = Key(1).normal({6, 90}).to(t);
    Tensor frame = Tensor::full({90, 14}, 7, t);
    on_cpu().unary(Unary::neg, a.view(), frame.slice(1, 1, 13, 2).transpose(0, 1).view());
    const auto f = frame.to_vector<float>(), x = a.to_vector<float>();
    for (std::size_t r = 0; r < 90; ++r)
      for (std::size_t c = 0; c < 14; ++c) ASSERT_EQ(f[r * 14 + c], c % 2 == 1 && c < 13 ? -x[(c / 2) * 90 + r] : 7);
  }
}

TEST(Elementwise, WorksInPlace) {
  Tensor x = Key(1).normal({1000});
  const auto before = x.to_vector<float>();
  on_cpu().binary(Binary::mul, x.view(), x.view(), x.view());
  const auto after = x.to_vector<float>();
  for (std::size_t i = 0; i < before.size(); ++i) ASSERT_EQ(after[i], before[i] * before[i]);
}

TEST(Elementwise, ThreadsAndLayoutDoNotChangeBits) {
  const int before = num_threads();
  const Tensor x = Key(1).normal({300, 700});
  std::vector<Tensor> results;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    Tensor out = Tensor::empty({300, 700}), turned = Tensor::empty({300, 700});
    on_cpu().unary(Unary::gelu, x.view(), out.view());
    on_cpu().unary(Unary::gelu, x.transpose(0, 1).contiguous().transpose(0, 1).view(), turned.view());
    results.push_back(out);
    results.push_back(turned);
  }
  set_num_threads(before);
  for (const Tensor& r : results) EXPECT_TRUE(same_bits(results[0], r));
}

TEST(Scalar, StandsOnEitherSide) {
  const Tensor x = Tensor::of<float>({1, 2, 4});
  Tensor out = Tensor::empty({3});
  on_cpu().scalar(Binary::div, x.view(), 8, true, out.view());
  EXPECT_EQ(out.to_vector<float>(), (std::vector<float>{8, 4, 2}));
  on_cpu().scalar(Binary::div, x.view(), 8, false, out.view());
  EXPECT_EQ(out.to_vector<float>(), (std::vector<float>{0.125f, 0.25f, 0.5f}));
  Tensor mask = Tensor::empty({3}, DType::u8);
  on_cpu().scalar(Binary::less_equal, x.view(), 2, false, mask.view());
  EXPECT_EQ(mask.to_vector<std::uint8_t>(), (std::vector<std::uint8_t>{1, 1, 0}));
}

TEST(Select, MovesTheBitsOfEveryDtype) {
  for (const DType t : {DType::f32, DType::f64, DType::bf16, DType::i64, DType::i32, DType::u8})
    for (const Tensor& a : layouts({2, 3, 70}, t, 1))
      for (const Tensor& mask : layouts({2, 3, 70}, DType::u8, 3)) {
        const Tensor b = Tensor::full({1, 1, 1}, 5, t).expand({2, 3, 70});
        Tensor out = Tensor::empty({2, 3, 70}, t);
        on_cpu().select(mask.view(), a.view(), b.view(), out.view());
        const auto m = mask.to_vector<std::uint8_t>();
        const auto x = a.to_vector<double>(), y = out.to_vector<double>();
        for (std::size_t i = 0; i < m.size(); ++i) ASSERT_EQ(y[i], m[i] ? x[i] : 5);
      }
}

TEST(Copy, ConvertsEveryPairOfDtypes) {
  const Tensor small = Tensor::of<double>({0, 1, 2, 100, 127});
  for (const DType from : {DType::f32, DType::f64, DType::bf16, DType::i64, DType::i32, DType::u8})
    for (const DType to : {DType::f32, DType::f64, DType::bf16, DType::i64, DType::i32, DType::u8})
      EXPECT_EQ(small.to(from).to(to).to_vector<double>(), small.to_vector<double>());
}

TEST(Copy, SaturatesIntegersAndTakesNaNToZero) {
  const Tensor x = Tensor::of<double>({nan, inf, -inf, -2.9, 300, 1e30});
  EXPECT_EQ(x.to(DType::u8).to_vector<std::uint8_t>(), (std::vector<std::uint8_t>{0, 255, 0, 0, 255, 255}));
  EXPECT_EQ(x.to(DType::i32).to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{0, INT32_MAX, INT32_MIN, -2, 300, INT32_MAX}));
  EXPECT_EQ(x.to(DType::i64).to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{0, INT64_MAX, INT64_MIN, -2, 300, INT64_MAX}));
}

TEST(Copy, RoundsToBf16OnceAndToEven) {
  // Halves of a last place go to the even neighbour; a little more goes up, also when f32 cannot hold the little.
  const Tensor x = Tensor::of<double>(
      {1 + 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-8 + 0x1p-40, 1 + 3 * 0x1p-8 - 0x1p-40, 3.4e38, inf, nan});
  const auto y = x.to(DType::bf16).to_vector<double>();
  EXPECT_EQ(y[0], 1);
  EXPECT_EQ(y[1], 1 + 0x1p-6);
  EXPECT_EQ(y[2], 1 + 0x1p-7);
  EXPECT_EQ(y[3], 1 + 0x1p-7);
  EXPECT_EQ(y[4], inf);
  EXPECT_EQ(y[5], inf);
  EXPECT_TRUE(std::isnan(y[6]));
  const Tensor f = Key(1).normal({10000});
  const auto xs = f.to_vector<float>(), ys = f.to(DType::bf16).to_vector<float>();
  for (std::size_t i = 0; i < xs.size(); ++i) ASSERT_EQ(ys[i], static_cast<float>(Bf16(xs[i])));
}

TEST(Fill, ReachesEveryElementOfAWindow) {
  Tensor x = Tensor::zeros({5, 8});
  on_cpu().fill(x.slice(1, 0, 8, 2).view(), 2.5);
  const auto v = x.to_vector<float>();
  for (std::size_t i = 0; i < v.size(); ++i) EXPECT_EQ(v[i], i % 2 ? 0 : 2.5f);
  Tensor k = Tensor::full({3}, 1e15, DType::i64);
  EXPECT_EQ(k.to_vector<std::int64_t>(), (std::vector<std::int64_t>(3, 1000000000000000)));
}

TEST(Elementwise, EmptyAndScalarTensorsAreFine) {
  EXPECT_EQ(binary(Binary::add, Tensor::zeros({0, 3}), Tensor::zeros({0, 3}), DType::f32).numel(), 0);
  EXPECT_EQ(binary(Binary::add, Tensor::scalar(2), Tensor::scalar(3), DType::f32).item(), 5);
}

TEST(Elementwise, MissingOperatorsAreErrorsAndNotCrashes) {
  const Tensor x = Tensor::zeros({3}, DType::i64);
  EXPECT_THROW(on_cpu().unary(Unary::exp, x.view(), x.view()), UserError);
  EXPECT_THROW(on_cpu().binary(Binary::pow, x.view(), x.view(), x.view()), UserError);
}

TEST(Masks, ComparisonsAndLogicGiveZeroOrOne) {
  const Tensor x = Tensor::of<float>({1, static_cast<float>(nan), static_cast<float>(inf), 0});
  const auto bytes = [&](Unary op) {
    Tensor out = Tensor::empty({4}, DType::u8);
    on_cpu().unary(op, x.view(), out.view());
    return out.to_vector<std::uint8_t>();
  };
  EXPECT_EQ(bytes(Unary::is_finite), (std::vector<std::uint8_t>{1, 0, 0, 1}));
  EXPECT_EQ(bytes(Unary::logical_not), (std::vector<std::uint8_t>{0, 0, 0, 1}));
  const Tensor a = Tensor::of<std::uint8_t>({0, 0, 1, 7}), b = Tensor::of<std::uint8_t>({0, 2, 0, 4});
  EXPECT_EQ(binary(Binary::logical_and, a, b, DType::u8).to_vector<std::uint8_t>(),
            (std::vector<std::uint8_t>{0, 0, 0, 1}));
  EXPECT_EQ(binary(Binary::logical_or, a, b, DType::u8).to_vector<std::uint8_t>(),
            (std::vector<std::uint8_t>{0, 1, 1, 1}));
}

TEST(Devices, AreParsedAndExplainThemselves) {
  EXPECT_EQ(parse_device("cpu"), Device{});
  EXPECT_EQ(to_string(parse_device("cuda")), "cuda:0");
  EXPECT_EQ(to_string(parse_device("cuda:3")), "cuda:3");
  for (const char* wrong : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:128", "cuda:1 ", "CPU"})
    EXPECT_THROW(parse_device(wrong), UserError) << wrong;
  EXPECT_EQ(why_unavailable(Device{}), "");
  const Device far{DeviceKind::cuda, 99};
  EXPECT_NE(why_unavailable(far), "");
  EXPECT_THROW(backend(far), UserError);
  EXPECT_FALSE(on_cpu().describe().empty());
}

}  // namespace
}  // namespace plumb
