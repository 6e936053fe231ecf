// Matrix products and the linear layer.
#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

const Tolerance of_terms{.f64 = 1e-12, .f32_ulps = 8, .bf16_ulps = 0.51, .of_largest = true};

const Tolerance with_bias{
    .f64 = 1e-12, .f32_ulps = 8, .bf16_ulps = 1.02, .of_largest = true};  // the product is rounded first

Array matmul_of(const Arrays& a) {
  const auto batch = [](Shape s) {
    s.erase(s.size() - 1);
    s.erase(s.size() - 1);
    return s;
  };
  Shape to = broadcast_shapes("reference", batch(a[0].shape), batch(a[1].shape));
  to.push_back(a[0].size(-2));
  to.push_back(a[1].size(-1));
  return build(to, [&](const Dims& i) {
    const int last = i.size() - 1;
    Dims outer = i;
    outer.erase(last);
    outer.erase(last - 1);
    const auto entry = [&](const Array& x, std::int64_t row, std::int64_t column) {
      Dims at = broadcast_index(batch(x.shape), outer);
      at.push_back(row);
      at.push_back(column);
      return x.at(at);
    };
    return dot(a[0].size(-1), [&](std::int64_t k) { return entry(a[0], i[last - 1], k) * entry(a[1], k, i[last]); });
  });
}

Array linear_of(const Arrays& a) {
  const Array &x = a[0], &w = a[1];
  const bool packed = w.shape.size() == 3;
  Shape to = x.shape;
  to[to.size() - 1] = w.size(-2);
  return build(to, [&](Dims i) {
    const int last = i.size() - 1;
    const std::int64_t n = i[last], run = packed ? i[0] : 0;
    const double product = dot(w.size(-1), [&](std::int64_t k) {
      i[last] = k;
      return x.at(i) * (packed ? w(run, n, k) : w(n, k));
    });
    return a.size() < 3 ? product : product + (packed ? a[2](run, n) : a[2](n));
  });
}

}  // namespace

OP_SPEC("matmul") {
  s.tolerance(of_terms).op([](const Vars& v) { return matmul(v[0], v[1]); }, matmul_of);
  const std::vector<std::pair<Shape, Shape>> pairs = {{{1, 1}, {1, 1}},
                                                      {{2, 3}, {3, 4}},
                                                      {{1, 5}, {5, 1}},
                                                      {{5, 1}, {1, 3}},
                                                      {{0, 3}, {3, 2}},
                                                      {{2, 0}, {0, 3}},
                                                      {{2, 3}, {3, 0}},
                                                      {{2, 2, 3}, {2, 3, 2}},
                                                      {{2, 2, 3}, {3, 2}},
                                                      {{3, 2}, {2, 2, 3}},
                                                      {{2, 1, 2, 3}, {3, 3, 2}},
                                                      {{1, 2, 3}, {4, 3, 1}},
                                                      {{2, 2, 1, 3}, {2, 1, 3, 2}},
                                                      {{0, 2, 3}, {0, 3, 2}},
                                                      {{3, 97}, {97, 2}}};
  for (const auto& [a, b] : pairs) s.on("shapes", {a, b});
  s.large({{65, 193}, {193, 49}}).large({{6, 50, 31}, {31, 40}}).large({{4, 33, 100}, {4, 100, 17}});
  s.rejects({filled({2, 3}), filled({2, 3})}, "[matmul] shapes [2,3] and [2,3] do not multiply");
  s.rejects({filled({3}), filled({3, 2})}, "[matmul] shapes [3] and [3,2] do not multiply");
  s.rejects({filled({2, 2, 3}), filled({3, 3, 2})}, "[matmul] shapes [2] and [3] do not broadcast");
  s.rejects({filled({2, 3}), filled({3, 2}, DType::f64)}, "[matmul] mixes f32 [2,3] with f64 [3,2]");
  s.rejects({filled({2, 3}, DType::i64), filled({3, 2}, DType::i64)}, "[matmul] needs a floating dtype, not i64 [2,3]");
}

OP_SPEC("linear") {
  s.tolerance(of_terms).op([](const Vars& v) { return linear(v[0], v[1], v.size() > 2 ? v[2] : Var()); }, linear_of);
  const std::vector<std::vector<Shape>> shapes = {
      {{3}, {2, 3}},          {{4, 3}, {2, 3}},   {{1, 1}, {1, 1}},       {{2, 3, 4}, {3, 4}},
      {{2, 1, 3, 2}, {3, 2}}, {{0, 3}, {2, 3}},   {{2, 0, 3}, {2, 3}},    {{4, 0}, {2, 0}},
      {{4, 3}, {0, 3}},       {{3, 98}, {2, 98}}, {{2, 4, 3}, {2, 2, 3}}, {{2, 3, 2, 3}, {2, 2, 3}},
      {{3, 2}, {3, 4, 2}}};
  for (auto list : shapes) {
    s.on("input, weight", list);
    Shape bias = list[1];
    bias.erase(bias.size() - 1);
    list.push_back(bias);
    s.tolerance(with_bias).on("input, weight, bias", list).tolerance(of_terms);
  }
  s.tolerance(with_bias);
  s.large({{5, 37, 101}, {70, 101}, {70}})
      .large({{3, 4, 21, 40}, {3, 33, 40}, {3, 33}})
      .large({{130, 64}, {64, 64}, {64}});
  s.rejects({filled({4, 3}), filled({2, 4})}, "[linear] input [4,3] does not fit weight [2,4]");
  s.rejects({filled({4, 3}), filled({3})}, "[linear] input [4,3] does not fit weight [3]");
  s.rejects({filled({}), filled({2, 3})}, "[linear] input [] does not fit weight [2,3]");
  s.rejects({filled({3, 4, 3}), filled({2, 5, 3})}, "[linear] input [3,4,3] does not fit weight [2,5,3]");
  s.rejects({filled({4, 3}), filled({2, 3}), filled({3})}, "[linear] bias [3] does not fit weight [2,3]");
  s.rejects({filled({2, 4, 3}), filled({2, 5, 3}), filled({5})}, "[linear] bias [5] does not fit weight [2,5,3]");
  s.rejects({filled({2, 4, 3}), filled({2, 5, 3}), filled({3, 5})}, "[linear] bias [3,5] does not fit weight [2,5,3]");
  s.rejects({filled({4, 3}), filled({2, 3}), filled({})}, "[linear] bias [] does not fit weight [2,3]");
  s.rejects({filled({4, 3}), filled({2, 3}, DType::f64)}, "[linear] mixes f32 [4,3] with f64 [2,3]");
  s.rejects({filled({4, 3}, DType::i64), filled({2, 3}, DType::i64)}, "[linear] needs a floating dtype, not i64 [4,3]");
}

}  // namespace plumb::specs
