// Convolution and pooling.
#include <algorithm>

#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

const Tolerance of_terms{.f64 = 1e-12, .f32_ulps = 8, .bf16_ulps = 0.51, .of_largest = true};

Array convolved(const Arrays& a, int stride, int padding) {
  const Array &x = a[0], &w = a[1];
  const std::int64_t k = w.size(2);
  const auto out = [&](std::int64_t n) { return (n + 2 * padding - k) / stride + 1; };
  return build({x.size(0), w.size(0), out(x.size(2)), out(x.size(3))}, [&](const Dims& i) {
    long double total = a.size() > 2 ? a[2](i[1]) : 0;
    for_each_index({x.size(1), k, k}, [&](const Dims& j) {
      const std::int64_t row = i[2] * stride - padding + j[1], column = i[3] * stride - padding + j[2];
      if (row < 0 || row >= x.size(2) || column < 0 || column >= x.size(3)) return;
      total += x(i[0], j[0], row, column) * w(i[1], j[0], j[1], j[2]);
    });
    return static_cast<double>(total);
  });
}

std::vector<double> window(const Array& x, const Dims& i, std::int64_t size) {
  std::vector<double> v;
  for (std::int64_t r = 0; r < size; ++r)
    for (std::int64_t c = 0; c < size; ++c) v.push_back(x(i[0], i[1], i[2] * size + r, i[3] * size + c));
  return v;
}

void pool_cases(Spec& s, const std::string& name, Var (*f)(const Var&, int),
                double (*fold)(const std::vector<double>&)) {
  for (const auto& [shape, size] : {std::pair{Shape{1, 1, 2, 2}, 2},
                                    {Shape{2, 3, 4, 6}, 2},
                                    {Shape{1, 2, 3, 3}, 3},
                                    {Shape{2, 1, 3, 2}, 1},
                                    {Shape{0, 2, 4, 4}, 2},
                                    {Shape{5, 8, 40, 40}, 2}}) {
    s.op([f, size = size](const Vars& v) { return f(v[0], size); },
         [fold, size = size](const Arrays& a) {
           const Array& x = a[0];
           return build({x.size(0), x.size(1), x.size(2) / size, x.size(3) / size},
                        [&](const Dims& i) { return fold(window(x, i, size)); });
         });
    if (numel(shape) > 1000) s.large({shape});
    else s.on(fmt::format("windows of {}", size), {shape});
  }
  s.rejects_call([f] { f(filled({1, 1, 3, 4}), 2); }, "[" + name + "] windows of 2 do not tile [1,1,3,4]");
  s.rejects_call([f] { f(filled({3, 4}), 2); }, "[" + name + "] windows of 2 do not tile [3,4]");
  s.rejects_call([f] { f(filled({1, 1, 4, 4}), 0); }, "[" + name + "] windows of 0 do not tile [1,1,4,4]");
}

}  // namespace

OP_SPEC("conv2d") {
  s.tolerance(of_terms);
  struct Window {
    int stride, padding;
    Shape x, w;
  };
  for (const Window& c : {Window{1, 0, {1, 1, 1, 1}, {1, 1, 1, 1}},
                          {1, 0, {2, 2, 4, 3}, {3, 2, 2, 2}},
                          {1, 1, {1, 2, 3, 3}, {2, 2, 3, 3}},
                          {2, 1, {2, 1, 5, 4}, {2, 1, 3, 3}},
                          {3, 2, {1, 1, 4, 5}, {1, 1, 2, 2}},
                          {2, 0, {1, 2, 5, 5}, {2, 2, 1, 1}},
                          {1, 0, {0, 2, 3, 3}, {2, 2, 2, 2}},
                          {1, 1, {6, 5, 17, 15}, {9, 5, 3, 3}}})
    for (const bool bias : {false, true}) {
      s.op([c](const Vars& v) { return conv2d(v[0], v[1], v.size() > 2 ? v[2] : Var(), c.stride, c.padding); },
           [c](const Arrays& a) { return convolved(a, c.stride, c.padding); });
      std::vector<Shape> shapes{c.x, c.w};
      if (bias) shapes.push_back({c.w[0]});
      if (numel(c.x) > 1000) s.large(shapes);
      else s.on(fmt::format("stride {} padding {}", c.stride, c.padding), shapes);
    }
  const Tensor x = filled({1, 2, 4, 4}), w = filled({3, 2, 3, 3});
  s.rejects_call(
      [x] {
        conv2d(x, filled({3, 1, 3, 3}), {});
      },
      "[conv2d] input [1,2,4,4] does not fit weight [3,1,3,3]: [B,C,H,W] and [O,C,k,k]");
  s.rejects_call(
      [x] {
        conv2d(x, filled({3, 2, 3, 2}), {});
      },
      "[conv2d] input [1,2,4,4] does not fit weight [3,2,3,2]");
  s.rejects_call([x, w] { conv2d(x, w, {}, 0, 0); }, "[conv2d] stride 0 and padding 0 make no sense");
  s.rejects_call([w] { conv2d(filled({1, 2, 2, 4}), w, {}); }, "[conv2d] a kernel of 3 does not fit input [1,2,2,4]");
  s.rejects_call([x, w] { conv2d(x, w, filled({2})); }, "bias [2] does not fit weight");
}

OP_SPEC("max_pool2d") {
  pool_cases(s, "max_pool2d", max_pool2d,
             [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });
}

OP_SPEC("avg_pool2d") {
  s.tolerance({.f64 = 1e-12, .f32_ulps = 8, .bf16_ulps = 1.1, .of_largest = true});
  pool_cases(s, "avg_pool2d", avg_pool2d, [](const std::vector<double>& v) {
    return dot(static_cast<std::int64_t>(v.size()), [&](std::int64_t i) { return v[static_cast<std::size_t>(i)]; }) /
           static_cast<double>(v.size());
  });
}

}  // namespace plumb::specs
