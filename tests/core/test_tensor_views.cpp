// Views: every way of looking at a tensor against a plain computation of indices.
#include <gtest/gtest.h>

#include <random>

#include "core/tensor.h"

namespace plumb {
namespace {

template <class F>
std::string complaint(F&& f) {
  try {
    f();
  } catch (const UserError& e) {
    return e.what();
  }
  return "no error";
}

// A tensor as a plain list of numbers in row-major order, read through its strides alone.
std::vector<std::int64_t> read(const Tensor& t) {
  std::vector<std::int64_t> out;
  const auto* base = static_cast<const std::int64_t*>(t.raw());
  Dims i = Dims::filled(t.dim(), 0);
  for (std::int64_t n = 0; n < t.numel(); ++n) {
    std::int64_t at = 0;
    for (int k = 0; k < t.dim(); ++k) at += i[k] * t.strides()[k];
    out.push_back(base[at]);
    for (int k = t.dim() - 1; k >= 0 && ++i[k] == t.shape()[k]; --k) i[k] = 0;
  }
  return out;
}

Tensor counted(const Shape& shape) { return Tensor::arange(numel(shape)).reshape(shape); }

TEST(TensorViews, ShareMemory) {
  const Tensor t = counted({2, 3, 4});
  EXPECT_EQ(t.storage().get(), t.transpose(0, 2).storage().get());
  EXPECT_EQ(t.storage().get(), t.slice(1, 1, 3).storage().get());
  EXPECT_EQ(t.storage().get(), t.reshape({6, 4}).storage().get());
  EXPECT_EQ(t.storage().get(), t.unsqueeze(0).expand({5, 2, 3, 4}).storage().get());
  Tensor window = t.select(0, 1).select(0, 2);
  window.fill_(-7);
  EXPECT_EQ(read(t)[20], -7);
  EXPECT_NE(t.storage().get(), t.clone().storage().get());
}

TEST(TensorViews, AreWhatTheirIndicesSay) {
  const Tensor t = counted({2, 3, 4});
  EXPECT_EQ(read(t.transpose(0, 1).select(0, 2)), (std::vector<std::int64_t>{8, 9, 10, 11, 20, 21, 22, 23}));
  EXPECT_EQ(read(t.permute({2, 0, 1}).select(0, 3)), (std::vector<std::int64_t>{3, 7, 11, 15, 19, 23}));
  EXPECT_EQ(read(t.slice(-1, 1, 4, 2).select(0, 0)), (std::vector<std::int64_t>{1, 3, 5, 7, 9, 11}));
  EXPECT_EQ(read(t.select(2, -1)), (std::vector<std::int64_t>{3, 7, 11, 15, 19, 23}));
  EXPECT_EQ(read(t.select(0, 0).select(0, 0).expand({2, 4})), (std::vector<std::int64_t>{0, 1, 2, 3, 0, 1, 2, 3}));
  EXPECT_EQ(t.unsqueeze(1).shape(), (Shape{2, 1, 3, 4}));
  EXPECT_EQ(t.unsqueeze(-1).shape(), (Shape{2, 3, 4, 1}));
  EXPECT_EQ(t.unsqueeze(1).squeeze(1).shape(), t.shape());
}

// A random chain of views, then a reshape: values must be those of the list, and a view must be found where one exists.
TEST(TensorViews, ReshapeAnyChainOfViews) {
  std::mt19937 random(5);
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  int views = 0, copies = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    Shape shape;
    for (std::int64_t n = below(4) + 1; n > 0; --n) shape.push_back(below(5) + 1);
    Tensor t = counted(shape);
    for (std::int64_t n = below(4); n > 0; --n) {
      const int axis = static_cast<int>(below(t.dim()));
      switch (below(5)) {
        case 0: t = t.transpose(axis, static_cast<int>(below(t.dim()))); break;
        case 1: {
          const std::int64_t size = t.shape()[axis], begin = below(size);
          t = t.slice(axis, begin, begin + 1 + below(size - begin), 1 + below(3));
          break;
        }
        case 2:
          if (t.dim() < max_dims) t = t.unsqueeze(axis);
          break;
        case 3:
          if (t.shape()[axis] == 1) {
            Shape wider = t.shape();
            wider[axis] = below(4) + 1;
            t = t.expand(wider);
          }
          break;
        default: t = t.reshape({-1, t.shape()[t.dim() - 1]}); break;
      }
    }
    Shape target;  // a random factorisation of the count
    std::int64_t left = t.numel();
    while (target.size() < max_dims - 1 && left > 1) {
      std::int64_t factor = 2 + below(4);
      if (left % factor != 0) factor = below(3) == 0 ? left : 1;
      target.push_back(factor);
      left /= factor;
    }
    target.push_back(left);
    const Tensor r = t.reshape(target);
    ASSERT_EQ(r.shape(), target);
    ASSERT_EQ(read(r), read(t)) << to_string(t.shape()) << " strides " << to_string(t.strides()) << " to "
                                << to_string(target);
    const bool is_view = r.storage().get() == t.storage().get();
    ASSERT_EQ(is_view, t.can_view(target)) << to_string(t.shape()) << " to " << to_string(target);
    (is_view ? views : copies) += 1;
    ASSERT_EQ(read(t.contiguous()), read(t));
    ASSERT_TRUE(t.contiguous().is_contiguous());
    ASSERT_EQ(t.to_vector<std::int64_t>(), read(t));
  }
  EXPECT_GT(views, 500);
  EXPECT_GT(copies, 200);
}

TEST(TensorViews, FindAViewWhereverOneExists) {
  const Tensor t = counted({2, 3, 4});
  EXPECT_TRUE(t.transpose(0, 1).can_view({3, 2, 2, 2}));  // splits an axis
  EXPECT_TRUE(t.slice(0, 1, 2).can_view({12}));
  EXPECT_TRUE(t.slice(2, 0, 2).can_view({6, 2}));  // merges axes that lie in line
  EXPECT_TRUE(t.slice(2, 0, 1).can_view({6}));
  EXPECT_FALSE(t.slice(2, 0, 2).can_view({12}));
  EXPECT_FALSE(t.transpose(0, 1).can_view({6, 4}));
  EXPECT_TRUE(counted({3}).unsqueeze(0).expand({2, 3}).can_view({1, 2, 3}));
  EXPECT_FALSE(counted({3}).unsqueeze(0).expand({2, 3}).can_view({6}));
  EXPECT_TRUE(counted({3, 1}).expand({3, 4}).can_view({3, 2, 2}));
}

TEST(TensorViews, OfNothing) {
  const Tensor t = Tensor::zeros({3, 0, 2});
  EXPECT_EQ(t.reshape({0}).shape(), (Shape{0}));
  EXPECT_EQ(t.reshape({-1, 4}).shape(), (Shape{0, 4}));
  EXPECT_EQ(t.reshape({2, 0, 7}).shape(), (Shape{2, 0, 7}));
  EXPECT_EQ(complaint([&] {
              t.reshape({2, -1, 0});
            }),
            "[reshape] shape [3,0,2] cannot become [2,-1,0]");  // any size would do
}

TEST(TensorViews, SayWhatIsWrong) {
  const Tensor t = counted({2, 3});
  EXPECT_EQ(complaint([&] { t.reshape({4}); }), "[reshape] shape [2,3] cannot become [4]");
  EXPECT_EQ(complaint([&] { t.reshape({-1, 4}); }), "[reshape] shape [2,3] cannot become [-1,4]");
  EXPECT_EQ(complaint([&] { t.reshape({-1, -1}); }), "[reshape] shape [2,3] cannot become [-1,-1]");
  EXPECT_EQ(complaint([&] { t.reshape({-2, -3}); }), "[reshape] shape [2,3] cannot become [-2,-3]");
  EXPECT_EQ(complaint([&] { t.slice(0, 0, 3); }), "[slice] [0:3:1] does not fit axis 0 of shape [2,3]");
  EXPECT_EQ(complaint([&] { t.slice(2, 0, 1); }), "[slice] axis 2 does not exist in a tensor of 2 dimensions");
  EXPECT_EQ(complaint([&] { t.slice(0, 0, 1, 0); }), "[slice] [0:1:0] does not fit axis 0 of shape [2,3]");
  EXPECT_EQ(complaint([&] { t.select(1, 3); }), "[select] index 3 is outside axis 1 of shape [2,3]");
  EXPECT_EQ(complaint([&] { t.select(1, -4); }), "[select] index -4 is outside axis 1 of shape [2,3]");
  EXPECT_EQ(complaint([&] { t.squeeze(0); }), "[squeeze] axis 0 of shape [2,3] is not of size 1");
  EXPECT_EQ(complaint([&] { t.expand({3, 3}); }), "[expand] shape [2,3] does not expand to [3,3]");
  EXPECT_EQ(complaint([&] { t.expand({3}); }), "[expand] shape [2,3] does not expand to [3]");
  EXPECT_EQ(complaint([&] { t.unsqueeze(3); }), "[unsqueeze] axis 3 does not exist in a tensor of 3 dimensions");
  EXPECT_EQ(complaint([&] { t.permute({0}); }), "[permute] 1 axes given for shape [2,3]");
  EXPECT_EQ(complaint([&] { t.permute({1, 1}); }), "[permute] axes [1,1] name one twice");
  EXPECT_EQ(complaint([&] { counted({1, 1, 1, 1, 1, 1}).unsqueeze(0); }), "a tensor has at most 6 dimensions");
}

}  // namespace
}  // namespace plumb
