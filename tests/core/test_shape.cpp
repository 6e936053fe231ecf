// Shapes: counts, strides, axes, broadcasting.
#include <gtest/gtest.h>

#include "core/shape.h"

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

TEST(Shape, CountsAndStrides) {
  EXPECT_EQ(numel({}), 1);
  EXPECT_EQ(numel({3, 0, 2}), 0);
  EXPECT_EQ(numel({2, 3, 4}), 24);
  EXPECT_EQ(row_major({2, 3, 4}), (Strides{12, 4, 1}));
  EXPECT_EQ(row_major({2, 0, 4}), (Strides{4, 4, 1}));
  EXPECT_EQ(to_string(Shape{4, 3}), "[4,3]");
  EXPECT_EQ(to_string(Shape{}), "[]");
}

TEST(Shape, InsertsAndErases) {
  Shape s{2, 3};
  s.insert(0, 7);
  s.insert(3, 9);
  EXPECT_EQ(s, (Shape{7, 2, 3, 9}));
  s.erase(1);
  s.erase(2);
  EXPECT_EQ(s, (Shape{7, 3}));
  EXPECT_NE(s, (Shape{7}));
  EXPECT_NE(s, (Shape{7, 3, 1}));
}

TEST(Shape, HoldsSixDimensions) {
  Shape s{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(complaint([&] { s.push_back(7); }), "a tensor has at most 6 dimensions");
}

TEST(Shape, ResolvesAxes) {
  EXPECT_EQ(axis_of("op", -1, 3), 2);
  EXPECT_EQ(axis_of("op", 0, 3), 0);
  EXPECT_EQ(complaint([] { axis_of("op", 3, 3); }), "[op] axis 3 does not exist in a tensor of 3 dimensions");
  EXPECT_EQ(complaint([] { axis_of("op", -4, 3); }), "[op] axis -4 does not exist in a tensor of 3 dimensions");
}

TEST(Shape, Broadcasts) {
  EXPECT_EQ(broadcast_shapes("op", {}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast_shapes("op", {2, 1, 3}, {4, 1}), (Shape{2, 4, 3}));
  EXPECT_EQ(broadcast_shapes("op", {1}, {0}), (Shape{0}));
  EXPECT_EQ(broadcast_shapes("op", {0, 3}, {3}), (Shape{0, 3}));
  EXPECT_EQ(complaint([] { broadcast_shapes("op", {3}, {2, 4}); }), "[op] shapes [3] and [2,4] do not broadcast");
  EXPECT_EQ(complaint([] { broadcast_shapes("op", {0}, {2}); }), "[op] shapes [0] and [2] do not broadcast");
}

}  // namespace
}  // namespace plumb
