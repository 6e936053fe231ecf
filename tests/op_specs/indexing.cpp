// Gather, scatter and embedding.
#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

const Tolerance no_change{.f64 = 0, .f32_ulps = 0, .bf16_ulps = 0};

Tensor indices(std::initializer_list<std::int64_t> values) { return Tensor::of<std::int64_t>(values); }

}  // namespace

OP_SPEC("gather") {
  s.tolerance(no_change);
  const std::vector<std::tuple<int, Shape, Shape>> shapes = {{0, {5}, {3}},
                                                             {0, {5}, {9}},
                                                             {1, {3, 4}, {3, 2}},
                                                             {0, {3, 4}, {5, 4}},
                                                             {-1, {2, 3, 4}, {2, 3, 1}},
                                                             {1, {2, 3, 4}, {2, 0, 4}},
                                                             {0, {1}, {1}}};
  const auto with = [&s](int axis, const Shape& x, const Shape& index) {
    s.op([axis](const Vars& v) { return gather(v[0], v[1].value(), axis); },
         [axis](const Arrays& a) {
           const int k = axis < 0 ? axis + a[0].shape.size() : axis;
           return build(a[1].shape, [&](Dims i) {
             i[k] = static_cast<std::int64_t>(a[1].at(i));
             return a[0].at(i);
           });
         });
    s.on_tensors(fmt::format("axis {}", axis),
                 {s.random(x), s.random_index(index, 0, x[axis < 0 ? axis + x.size() : axis])});
  };
  for (const auto& [axis, x, index] : shapes) with(axis, x, index);
  const Tensor x = filled({3, 4});
  s.rejects_call([x] { gather(x, indices({0, 1}), 1); }, "[gather] index [2] does not fit [3,4] along axis 1");
  s.rejects_call([] { gather(filled({4}), indices({0, 9}), 0); }, "[gather] index 9 at position 1 is outside [0, 4)");
  s.rejects_call([] { gather(filled({4}), indices({-1}), 0); }, "[gather] index -1 at position 0 is outside [0, 4)");
  s.rejects_call([] { gather(filled({4}), filled({2}), 0); }, "[gather]");
}

OP_SPEC("scatter_add") {
  s.tolerance({.f64 = 1e-12, .f32_ulps = 4, .bf16_ulps = 1.6, .of_largest = true});
  const auto with = [&s](int axis, const Shape& shape, std::int64_t n) {
    s.op([axis, n](const Vars& v) { return scatter_add(v[1].value(), v[0], axis, n); },
         [axis, n](const Arrays& a) {
           const int k = axis < 0 ? axis + a[0].shape.size() : axis;
           Shape to = a[0].shape;
           to[k] = n;
           Array out(to);
           for_each_index(a[0].shape, [&](Dims i) {
             const double x = a[0].at(i);
             i[k] = static_cast<std::int64_t>(a[1].at(i));
             out.at(i) += x;
           });
           return out;
         });
    s.on_tensors(fmt::format("axis {} to {}", axis, n), {s.random(shape), s.random_index(shape, 0, n)});
  };
  with(0, {5}, 3);
  with(0, {1}, 1);
  with(1, {3, 4}, 6);
  with(0, {3, 4}, 2);
  with(-1, {2, 3, 4}, 3);
  with(0, {0}, 3);
  with(1, {2, 0, 3}, 2);
  s.rejects_call(
      [] {
        scatter_add(indices({0, 3}), filled({2}), 0, 3);
      },
      "[scatter_add] index 3 at position 1 is outside [0, 3)");
  s.rejects_call([] { scatter_add(indices({0}), filled({2}), 0, 3); },
                 "[scatter_add] index [1] and values [2] differ in shape");
}

OP_SPEC("embedding") {
  s.tolerance(no_change);
  const auto with = [&s](const Shape& table, const Shape& index) {
    s.op([](const Vars& v) { return embedding(v[0], v[1].value()); },
         [](const Arrays& a) {
           Shape to = a[1].shape;
           to.push_back(a[0].size(-1));
           return build(to, [&](const Dims& i) {
             Dims token = i;
             token.erase(i.size() - 1);
             const auto row = static_cast<std::int64_t>(a[1].at(token));
             const std::int64_t column = i[i.size() - 1];
             return a[0].shape.size() == 3 ? a[0](i[0], row, column) : a[0](row, column);
           });
         });
    s.on_tensors("table, index", {s.random(table), s.random_index(index, 0, table[table.size() - 2])});
  };
  with({5, 3}, {});
  with({5, 3}, {4});
  with({5, 3}, {2, 7});
  with({1, 1}, {3});
  with({5, 3}, {0});
  with({5, 3}, {2, 0});
  with({5, 0}, {2});
  with({2, 5, 3}, {2});
  with({2, 5, 3}, {2, 4});
  with({2, 4, 2}, {2, 3, 2});
  s.rejects_call([] { embedding(filled({4}), indices({0})); },
                 "[embedding] the table must be [V,D] or [R,V,D], not [4]");
  s.rejects_call(
      [] {
        embedding(filled({4, 2}), indices({1, 4}));
      },
      "[embedding] index 4 at position 1 is outside [0, 4)");
  s.rejects_call(
      [] {
        embedding(filled({3, 4, 2}), indices({1, 0}));
      },
      "[embedding] table [3,4,2] has 3 runs but the index is [2]");
}

}  // namespace plumb::specs
