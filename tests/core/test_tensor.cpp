// Tensors: making, converting, comparing, changing in place.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/tensor.h"
#include "core/tensor_ops.h"

namespace plumb {
namespace {

constexpr DType every_dtype[] = {DType::f64, DType::f32, DType::bf16, DType::i64, DType::i32, DType::u8};

template <class F>
std::string complaint(F&& f) {
  try {
    f();
  } catch (const UserError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Tensor, IsMadeInEveryDtype) {
  for (const DType t : every_dtype) {
    EXPECT_EQ(Tensor::zeros({2, 3}, t).to_vector<double>(), std::vector<double>(6, 0.0)) << name_of(t);
    EXPECT_EQ(Tensor::full({3}, 5, t).to_vector<double>(), std::vector<double>(3, 5.0)) << name_of(t);
    EXPECT_EQ(Tensor::scalar(7, t).item(), 7) << name_of(t);
    EXPECT_EQ(Tensor::arange(4, t).to_vector<double>(), (std::vector<double>{0, 1, 2, 3})) << name_of(t);
    EXPECT_EQ(Tensor::zeros({3, 0}, t).numel(), 0);
  }
}

TEST(Tensor, TakesValuesThatFillIt) {
  EXPECT_EQ(Tensor::from(std::vector<float>{1, 2, 3, 4}, {2, 2}).to_vector<float>(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(Tensor::of<std::int64_t>({5, 6}).shape(), (Shape{2}));
  EXPECT_EQ(complaint([] {
              Tensor::from(std::vector<float>{1, 2}, {3});
            }),
            "[from] 2 values do not fill a tensor of shape [3]");
}

TEST(Tensor, RefusesImpossibleShapes) {
  EXPECT_NE(complaint([] { Tensor::empty({2, -1}); }).find("shape [2,-1] has a negative size"), std::string::npos);
  EXPECT_THROW(Tensor::empty({std::int64_t{1} << 40, 1 << 20}), OutOfMemory);
  EXPECT_THROW(Tensor::empty({std::int64_t{1} << 62, 1 << 20, 1 << 20}), OutOfMemory);
  EXPECT_THROW(Tensor::empty({std::int64_t{1} << 62, 0}), OutOfMemory);
}

TEST(Tensor, AsksForASingleNumber) {
  EXPECT_EQ(complaint([] { Tensor::zeros({2}).item(); }), "[item] a tensor of shape [2] is not a single number");
  EXPECT_EQ(complaint([] { Tensor().item(); }), "[item] a tensor of shape undefined is not a single number");
  EXPECT_EQ(Tensor::full({1, 1}, 3).item(), 3);
}

TEST(Tensor, KeepsTheAccessOfADtypeStrict) { EXPECT_THROW(Tensor::zeros({2}, DType::f64).data<float>(), Bug); }

TEST(Tensor, ConvertsBetweenAllDtypes) {
  for (const DType from : every_dtype)
    for (const DType to : every_dtype) {
      const Tensor t = Tensor::of<double>({0, 1, 2, 100, 127}).to(from).to(to);
      EXPECT_EQ(t.dtype(), to);
      EXPECT_EQ(t.to_vector<double>(), (std::vector<double>{0, 1, 2, 100, 127}))
          << name_of(from) << " to " << name_of(to);
    }
  const Tensor t = Tensor::of<double>({1, 2});
  EXPECT_EQ(t.to(DType::f64).storage().get(), t.storage().get());
}

TEST(Tensor, RoundsToTheNearestBf16AndTiesToEven) {
  const double step = 0x1p-7;
  const Tensor t = Tensor::of<float>({1, 1 + static_cast<float>(step) / 2, 1 + static_cast<float>(step) * 1.5f,
                                      1 + static_cast<float>(step) * 0.51f, -0.0f, 3.4e38f});
  const auto v = t.to(DType::bf16).to_vector<double>();
  EXPECT_EQ(v[0], 1);
  EXPECT_EQ(v[1], 1);
  EXPECT_EQ(v[2], 1 + 2 * step);
  EXPECT_EQ(v[3], 1 + step);
  EXPECT_TRUE(v[4] == 0 && std::signbit(v[4]));
  EXPECT_TRUE(std::isinf(v[5]));  // rounds up past the largest
}

TEST(Tensor, KeepsNaNAndInfinityThroughFloatingDtypes) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType t : {DType::f32, DType::bf16}) {
    const auto v = Tensor::of<double>({inf, -inf, nan}).to(t).to(DType::f64).to_vector<double>();
    EXPECT_EQ(v[0], inf);
    EXPECT_EQ(v[1], -inf);
    EXPECT_TRUE(std::isnan(v[2]));
  }
}

TEST(Tensor, CopiesBroadcastsAndConvertsInPlace) {
  Tensor t = Tensor::zeros({2, 3});
  t.copy_(Tensor::of<std::int64_t>({1, 2, 3}));
  EXPECT_EQ(t.to_vector<double>(), (std::vector<double>{1, 2, 3, 1, 2, 3}));
  Tensor column = t.slice(1, 1, 2);
  column.copy_(Tensor::from(std::vector<double>{8, 9}, {2, 1}));
  EXPECT_EQ(t.to_vector<double>(), (std::vector<double>{1, 8, 3, 1, 9, 3}));
  Tensor turned = t.transpose(0, 1);
  turned.copy_(Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2}));
  EXPECT_EQ(t.to_vector<double>(), (std::vector<double>{1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(complaint([&] { t.copy_(Tensor::zeros({2})); }), "[expand] shape [2] does not expand to [2,3]");
}

TEST(Tensor, AddsInPlaceOnlyWhatMatches) {
  Tensor t = Tensor::full({2}, 1);
  t.add_(Tensor::full({2}, 2));
  EXPECT_EQ(t.to_vector<double>(), (std::vector<double>{3, 3}));
  EXPECT_EQ(complaint([&] { t.add_(Tensor::full({3}, 2)); }), "[add_] f32 [3] does not match f32 [2]");
  EXPECT_EQ(complaint([&] { t.add_(Tensor::full({2}, 2, DType::f64)); }), "[add_] f64 [2] does not match f32 [2]");
}

TEST(Tensor, CountsItsChangesInPlace) {
  Tensor t = Tensor::zeros({2});
  const auto start = t.storage()->version();
  t.fill_(1);
  t.copy_(Tensor::zeros({2}));
  t.add_(Tensor::zeros({2}));
  Tensor view = t.slice(0, 0, 1);
  view.fill_(1);
  EXPECT_EQ(t.storage()->version(), start + 4);
}

TEST(Tensor, ComparesBits) {
  const Tensor a = Tensor::of<double>({0, 1});
  EXPECT_TRUE(same_bits(a, a.clone()));
  EXPECT_TRUE(same_bits(a, Tensor::of<double>({0, 7, 1, 7}).slice(0, 0, 4, 2)));
  EXPECT_FALSE(same_bits(a, Tensor::of<double>({-0.0, 1})));
  EXPECT_FALSE(same_bits(a, a.to(DType::f32)));
  EXPECT_FALSE(same_bits(a, a.unsqueeze(0)));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(same_bits(Tensor::of<double>({nan}), Tensor::of<double>({nan})));
  EXPECT_TRUE(same_bits(Tensor::zeros({0, 2}), Tensor::zeros({0, 2})));
}

TEST(Tensor, PrintsItself) {
  EXPECT_EQ(to_string(Tensor::of<float>({1, 2.5})), "f32 [2] cpu {1, 2.5}");
  EXPECT_EQ(to_string(Tensor::arange(9)), "i64 [9] cpu {0, 1, 2, 3, 4, 5, 6, 7, ...}");
  EXPECT_EQ(to_string(Tensor()), "undefined tensor");
}

TEST(Tensor, FindsTheFirstNonFiniteValue) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const DType t : {DType::f64, DType::f32, DType::bf16}) {
    EXPECT_EQ(kernels::first_non_finite(Tensor::of<double>({1, 2}).to(t)), -1);
    EXPECT_EQ(kernels::first_non_finite(Tensor::of<double>({1, -inf, std::nan("")}).to(t)), 1);
  }
  EXPECT_TRUE(kernels::all_finite(Tensor::zeros({0})));
  EXPECT_TRUE(kernels::all_finite(Tensor::arange(3)));
}

}  // namespace
}  // namespace plumb
