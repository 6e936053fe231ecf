// Views and rearrangements: every entry keeps its bits, only its place changes.
#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

const Tolerance no_change{.f64 = 0, .f32_ulps = 0, .bf16_ulps = 0};

Array renamed(const Array& a, const Shape& shape) {
  Array out = a;
  out.shape = shape;
  return out;
}

}  // namespace

OP_SPEC("reshape") {
  s.tolerance(no_change);
  const std::vector<std::array<Shape, 3>> shapes = {
      {{{}, {1, 1}, {1, 1}}},           {{{1}, {}, {}}},           {{{6}, {2, 3}, {2, 3}}},
      {{{2, 3, 4}, {4, -1}, {4, 6}}},   {{{2, 3, 4}, {-1}, {24}}}, {{{4, 6}, {2, 2, 3, 2}, {2, 2, 3, 2}}},
      {{{0, 3}, {3, 0, 2}, {3, 0, 2}}}, {{{3, 0}, {0}, {0}}}};
  for (const auto& [from, to, becomes] : shapes) {
    s.op([to = to](const Vars& v) { return reshape(v[0], to); },
         [becomes = becomes](const Arrays& a) { return renamed(a[0], becomes); });
    s.on("to " + to_string(to), {from});
  }
  s.rejects_call([] { reshape(filled({2, 3}), {4}); }, "[reshape] shape [2,3] cannot become [4]");
  s.rejects_call([] { reshape(filled({2, 3}), {-1, 4}); }, "[reshape] shape [2,3] cannot become [-1,4]");
  s.rejects_call([] { reshape(filled({2, 3}), {-1, -1}); }, "[reshape] shape [2,3] cannot become [-1,-1]");
  s.rejects_call([] { reshape(filled({2, 3}), {-2, -3}); }, "[reshape] shape [2,3] cannot become [-2,-3]");
}

OP_SPEC("transpose") {
  s.tolerance(no_change);
  for (const auto& [a, b] : {std::pair{0, 1}, {-1, -2}, {2, 0}, {1, 1}})
    for (const Shape& shape : {Shape{2, 3, 4}, Shape{1, 5, 1}, Shape{2, 0, 3}}) {
      s.op([a = a, b = b](const Vars& v) { return transpose(v[0], a, b); },
           [a = a, b = b](const Arrays& x) {
             const int n = x[0].shape.size();
             const auto turned = [&](Dims i) {
               std::swap(i[a < 0 ? a + n : a], i[b < 0 ? b + n : b]);
               return i;
             };
             return build(turned(x[0].shape), [&](const Dims& i) { return x[0].at(turned(i)); });
           });
      s.on(fmt::format("{} {}", a, b), {shape});
    }
  s.rejects_call([] { transpose(filled({3}), 0, 1); }, "[transpose] axis 1 does not exist in a tensor of 1 dimensions");
}

OP_SPEC("permute") {
  s.tolerance(no_change);
  const std::vector<std::pair<Shape, Dims>> shapes = {{{}, {}},
                                                      {{3}, {0}},
                                                      {{2, 3}, {1, 0}},
                                                      {{2, 3, 4}, {2, 0, 1}},
                                                      {{2, 3, 4}, {-1, 1, -3}},
                                                      {{1, 2, 0, 3}, {3, 1, 2, 0}}};
  for (const auto& [shape, axes] : shapes) {
    s.op([axes = axes](const Vars& v) { return permute(v[0], axes); },
         [axes = axes](const Arrays& a) {
           const auto axis = [&](int k) { return static_cast<int>(axes[k] < 0 ? axes[k] + axes.size() : axes[k]); };
           Shape to = a[0].shape;
           for (int k = 0; k < axes.size(); ++k) to[k] = a[0].shape[axis(k)];
           return build(to, [&](const Dims& i) {
             Dims from = i;
             for (int k = 0; k < axes.size(); ++k) from[axis(k)] = i[k];
             return a[0].at(from);
           });
         });
    s.on("axes " + to_string(axes), {shape});
  }
  s.rejects_call([] { permute(filled({2, 3}), {0, 0}); }, "[permute] axes [0,0] name one twice");
  s.rejects_call([] { permute(filled({2, 3}), {0}); }, "[permute] 1 axes given for shape [2,3]");
}

OP_SPEC("slice") {
  s.tolerance(no_change);
  struct Piece {
    Shape shape;
    int axis;
    std::int64_t begin, end, step;
  };
  for (const Piece& p : {Piece{{7}, 0, 0, 7, 1},
                         {{7}, 0, 2, 2, 1},
                         {{7}, 0, 1, 7, 3},
                         {{3, 5}, 1, 1, 4, 2},
                         {{3, 5}, -2, 2, 3, 1},
                         {{2, 3, 4}, 1, 0, 2, 1},
                         {{0, 2}, 1, 1, 2, 1},
                         {{4}, 0, 0, 4, 9}}) {
    s.op([p](const Vars& v) { return slice(v[0], p.axis, p.begin, p.end, p.step); },
         [p](const Arrays& a) {
           const int k = p.axis < 0 ? p.axis + a[0].shape.size() : p.axis;
           Shape to = a[0].shape;
           to[k] = (p.end - p.begin + p.step - 1) / p.step;
           return build(to, [&](Dims i) {
             i[k] = p.begin + i[k] * p.step;
             return a[0].at(i);
           });
         });
    s.on(fmt::format("[{}:{}:{}] of axis {}", p.begin, p.end, p.step, p.axis), {p.shape});
  }
  s.rejects_call([] { slice(filled({4}), 0, 1, 5); }, "[slice] [1:5:1] does not fit axis 0 of shape [4]");
  s.rejects_call([] { slice(filled({4}), 0, 3, 2); }, "[slice] [3:2:1] does not fit axis 0 of shape [4]");
  s.rejects_call([] { slice(filled({4}), 0, -1, 2); }, "[slice] [-1:2:1] does not fit axis 0 of shape [4]");
  s.rejects_call([] { slice(filled({4}), 0, 0, 2, 0); }, "[slice] [0:2:0] does not fit axis 0 of shape [4]");
}

OP_SPEC("select") {
  s.tolerance(no_change);
  for (const auto& [axis, index] : {std::pair{0, 1}, {1, 0}, {-1, -1}, {1, -2}}) {
    s.op([axis = axis, index = index](const Vars& v) { return select(v[0], axis, index); },
         [axis = axis, index = index](const Arrays& a) {
           const int k = axis < 0 ? axis + a[0].shape.size() : axis;
           Shape to = a[0].shape;
           to.erase(k);
           return build(to, [&](Dims i) {
             i.insert(k, index < 0 ? index + a[0].shape[k] : index);
             return a[0].at(i);
           });
         });
    s.on(fmt::format("{} of axis {}", index, axis), {{2, 3, 4}});
  }
  s.rejects_call([] { select(filled({2, 3}), 1, 3); }, "[select] index 3 is outside axis 1 of shape [2,3]");
}

OP_SPEC("unsqueeze") {
  s.tolerance(no_change);
  const std::vector<std::tuple<Shape, int, Shape>> shapes = {{{}, 0, {1}},           {{}, -1, {1}},
                                                             {{3, 2}, 0, {1, 3, 2}}, {{3, 2}, -1, {3, 2, 1}},
                                                             {{3, 2}, 1, {3, 1, 2}}, {{0, 2}, 2, {0, 2, 1}}};
  for (const auto& [from, axis, to] : shapes) {
    s.op([axis = axis](const Vars& v) { return unsqueeze(v[0], axis); },
         [to = to](const Arrays& a) { return renamed(a[0], to); });
    s.on(fmt::format("axis {}", axis), {from});
  }
  s.rejects_call([] { unsqueeze(filled({3}), 2); }, "[unsqueeze] axis 2 does not exist in a tensor of 2 dimensions");
}

OP_SPEC("squeeze") {
  s.tolerance(no_change);
  const std::vector<std::tuple<Shape, int, Shape>> shapes = {
      {{1}, 0, {}}, {{3, 1, 2}, 1, {3, 2}}, {{3, 2, 1}, -1, {3, 2}}, {{1, 0}, 0, {0}}};
  for (const auto& [from, axis, to] : shapes) {
    s.op([axis = axis](const Vars& v) { return squeeze(v[0], axis); },
         [to = to](const Arrays& a) { return renamed(a[0], to); });
    s.on(fmt::format("axis {}", axis), {from});
  }
  s.rejects_call([] { squeeze(filled({3, 2}), 1); }, "[squeeze] axis 1 of shape [3,2] is not of size 1");
}

OP_SPEC("expand") {
  s.tolerance(no_change);
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{}, {}}, {{}, {2, 3}}, {{1}, {0}}, {{3}, {2, 3}}, {{3, 1}, {3, 4}}, {{1, 2}, {5, 3, 2}}, {{3, 0}, {2, 3, 0}}};
  for (const auto& [from, to] : shapes) {
    s.op([to = to](const Vars& v) { return expand(v[0], to); },
         [to = to](const Arrays& a) {
           return build(to, [&](const Dims& i) { return a[0].at(broadcast_index(a[0].shape, i)); });
         });
    s.on("to " + to_string(to), {from});
  }
  s.rejects_call([] { expand(filled({3}), {4}); }, "[expand] shape [3] does not expand to [4]");
  s.rejects_call([] { expand(filled({2, 3}), {3}); }, "[expand] shape [2,3] does not expand to [3]");
}

namespace {

Array joined(const Arrays& parts, int axis) {
  const int k = axis < 0 ? axis + parts[0].shape.size() : axis;
  Shape to = parts[0].shape;
  for (std::size_t p = 1; p < parts.size(); ++p) to[k] += parts[p].shape[k];
  return build(to, [&](Dims i) {
    std::size_t p = 0;
    while (i[k] >= parts[p].shape[k]) i[k] -= parts[p++].shape[k];
    return parts[p].at(i);
  });
}

}  // namespace

OP_SPEC("concat") {
  s.tolerance(no_change);
  const std::vector<std::pair<int, std::vector<Shape>>> groups = {{0, {{3}}},
                                                                  {0, {{3}, {2}}},
                                                                  {0, {{0}, {2}}},
                                                                  {1, {{2, 3}, {2, 1}, {2, 0}, {2, 4}}},
                                                                  {-2, {{1, 3}, {2, 3}}},
                                                                  {1, {{2, 1, 3}, {2, 2, 3}}}};
  for (const auto& [axis, shapes] : groups) {
    s.op([axis = axis](const Vars& v) { return concat(v, axis); },
         [axis = axis](const Arrays& a) { return joined(a, axis); });
    s.on(fmt::format("axis {}", axis), shapes);
  }
  s.op(
      [](const Vars& v) {
        return concat({v[0], v[1], v[0]}, 0);
      },
      [](const Arrays& a) {
        return joined({a[0], a[1], a[0]}, 0);
      });
  s.on("one part twice", {{2, 3}, {1, 3}});
  s.rejects_call([] { concat({filled({2, 3}), filled({2, 4})}, 0); }, "[concat]");
  s.rejects_call([] { concat({filled({2}), filled({2}, DType::f64)}, 0); }, "[concat] mixes f32 [2] with f64 [2]");
  s.rejects_call([] { concat({}, 0); }, "[concat]");
}

OP_SPEC("stack") {
  s.tolerance(no_change);
  for (const int axis : {0, 1, -1}) {
    s.op([axis](const Vars& v) { return stack(v, axis); },
         [axis](const Arrays& a) {
           Arrays rows = a;
           const int k = axis < 0 ? axis + a[0].shape.size() + 1 : axis;
           for (auto& r : rows) r.shape.insert(k, 1);
           return joined(rows, k);
         });
    for (const Shape& shape : {Shape{3}, Shape{2, 3}, Shape{2, 0}})
      s.on(fmt::format("axis {}", axis), {shape, shape, shape});
  }
  s.rejects_call([] { stack({filled({2}), filled({3})}, 0); }, "shape");
}

OP_SPEC("to") {
  for (const DType type : {DType::f64, DType::f32, DType::bf16}) {
    s.tolerance({.f64 = type == DType::f64   ? 0
                        : type == DType::f32 ? 0x1p-24
                                             : 0x1p-8,
                 .f32_ulps = type == DType::bf16 ? 0x1p15 : 0,
                 .bf16_ulps = 0});
    s.dtypes({DType::f64, DType::f32, DType::bf16});
    s.op([type](const Vars& v) { return to(v[0], type); }, [](const Arrays& a) { return a[0]; });
    if (type != DType::f64) continue;  // differences of a rounded function say nothing; tests/autograd holds the others
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{17}, Shape{3, 5}}) s.on(name_of(type), {shape});
  }
  s.rejects_call([] { to(filled({2}), DType::i64); },
                 "[to] a value with a gradient cannot become i64; use value().to()");
}

OP_SPEC("contiguous") {
  s.tolerance(no_change).unary(contiguous, [](double x) { return x; });
  s.op([](const Vars& v) { return contiguous(transpose(v[0], 0, 1)); },
       [](const Arrays& a) {
         return build({a[0].size(1), a[0].size(0)}, [&](const Dims& i) { return a[0](i[1], i[0]); });
       });
  s.on("of a transpose", {{3, 5}});
}

}  // namespace plumb::specs
