// Softmax and normalisation over the last axis.
#include <algorithm>

#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

const Tolerance of_terms{.f64 = 1e-12, .f32_ulps = 8, .of_largest = true};
const std::vector<DType> offered{DType::f64, DType::f32};  // bf16 training keeps rows in f32

// f(row, out) for each row of the last axis.
Array by_rows(const Array& x, const std::function<void(std::int64_t row, const double* in, double* out)>& f) {
  Array out = x;
  const std::int64_t n = x.size(-1);
  for (std::int64_t i = 0; n > 0 && i < x.count() / n; ++i) f(i, x.values.data() + i * n, out.values.data() + i * n);
  return out;
}

Array softmax_of(const Array& x, bool log) {
  const std::int64_t n = x.size(-1);
  return by_rows(x, [n, log](std::int64_t, const double* in, double* out) {
    const double top = *std::max_element(in, in + n);
    const double z = dot(n, [&](std::int64_t i) { return std::exp(in[i] - top); });
    for (std::int64_t i = 0; i < n; ++i) out[i] = log ? in[i] - top - std::log(z) : std::exp(in[i] - top) / z;
  });
}

void softmax_cases(Spec& s, Var (*f)(const Var&), bool log) {
  s.tolerance(of_terms).dtypes(offered).op([f](const Vars& v) { return f(v[0]); },
                                           [log](const Arrays& a) { return softmax_of(a[0], log); });
  for (const Shape& shape : {Shape{1}, Shape{7}, Shape{0}, Shape{3, 0}, Shape{0, 3}, Shape{3, 1}, Shape{3, 5},
                             Shape{2, 3, 4}, Shape{2, 19}, Shape{1, 1, 2}})
    s.on("shape", {shape});
  s.large({{301, 257}});
  // The first of two entries.
  s.op([f](const Vars& v) { return select(f(stack({v[0], v[1]}, 0)), 0, 0); }, {});
  s.exact({nan, 1}, nan).exact({1, nan}, nan);
  s.rejects_call([f] { f(filled({})); }, "softmax] needs at least one dimension");
  s.rejects_call([f] { f(filled({2}, DType::i64)); }, "softmax] needs a floating dtype, not i64 [2]");
}

}  // namespace

OP_SPEC("softmax") {
  softmax_cases(s, softmax, false);
  s.exact({-inf, 0}, 0)
      .exact({0, -inf}, 1)
      .exact({1000, -1000}, 1)
      .exact({-1000, 1000}, 0)
      .exact({1000, 1000}, 0.5)
      .exact({-0.0, 0}, 0.5);
}

OP_SPEC("log_softmax") {
  softmax_cases(s, log_softmax, true);
  s.exact({-inf, 0}, -inf)
      .exact({0, -inf}, 0)
      .exact({1000, -1000}, 0)
      .exact({-1000, 1000}, -2000)
      .exact({1000, 1000}, -std::log(2));
}

namespace {

Array normalised(const Arrays& a, bool has_gain, bool has_bias, const NormOptions& o) {
  const Array& x = a[0];
  const std::int64_t n = x.size(-1);
  return by_rows(x, [&](std::int64_t row, const double* in, double* out) {
    const double count = static_cast<double>(n);
    const double mean = o.center ? dot(n, [&](std::int64_t i) { return in[i]; }) / count : 0;
    const double square = dot(n, [&](std::int64_t i) { return (in[i] - mean) * (in[i] - mean); }) / count;
    const auto parameter = [&](const Array& p, std::int64_t i) {
      const std::int64_t run = p.shape.size() == 2 ? row / (x.count() / n / x.size(0)) : 0;
      return p[run * n + i];
    };
    for (std::int64_t i = 0; i < n; ++i) {
      const double y = (in[i] - mean) / std::sqrt(square + o.eps);
      out[i] =
          y * (has_gain ? parameter(a[1], i) + o.gain_offset : 1) + (has_bias ? parameter(a[has_gain ? 2 : 1], i) : 0);
    }
  });
}

}  // namespace

OP_SPEC("normalise") {
  Tolerance t = of_terms;
  t.f32_ulps = 16;
  s.tolerance(t).dtypes(offered);
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{5}, {5}},    {{1, 3}, {3}},    {{4, 3}, {3}},   {{2, 3, 4}, {4}},    {{2, 1, 2, 5}, {5}},
      {{0, 3}, {3}}, {{2, 0, 3}, {3}}, {{3, 19}, {19}}, {{2, 4, 3}, {2, 3}}, {{2, 2, 2, 5}, {2, 5}}};
  for (const bool center : {true, false})
    for (const double offset : {0.0, 1.0})
      for (const int parts : {0, 1, 2, 3}) {  // bit 0: a gain, bit 1: a bias
        const bool gain = parts & 1, bias = parts & 2;
        if (offset != 0 && !gain) continue;
        const NormOptions o{.center = center, .eps = 1e-3, .gain_offset = offset};
        s.op([=](const Vars& v) { return normalise(v[0], gain ? v[1] : Var(), bias ? v[gain ? 2 : 1] : Var(), o); },
             [=](const Arrays& a) { return normalised(a, gain, bias, o); });
        const std::string label = fmt::format("{}{}{} offset {}", center ? "centred" : "not centred",
                                              gain ? ", gain" : "", bias ? ", bias" : "", offset);
        const auto with = [&](const Shape& x, const Shape& p) {
          std::vector<Shape> list{x};
          if (gain) list.push_back(p);
          if (bias) list.push_back(p);
          return list;
        };
        for (const auto& [x, p] : shapes) s.on(label, with(x, p));
        s.large(with({7, 23, 301}, {301}));
      }
  const auto of = [](const Tensor& x, const Tensor& gain, const Tensor& bias) {
    return [=] { normalise(x, gain.defined() ? Var(gain) : Var(), bias.defined() ? Var(bias) : Var(), {}); };
  };
  s.rejects_call(of(filled({2, 3}), filled({4}), {}), "[normalise] gain or bias [4] does not fit input [2,3]");
  s.rejects_call(of(filled({2, 3}), filled({3, 3}), {}), "[normalise] gain or bias [3,3] does not fit input [2,3]");
  s.rejects_call(of(filled({}), {}, {}), "does not fit input []");
  s.rejects_call(of(filled({2, 3}), filled({3}), filled({2, 3})),
                 "[normalise] gain [3] and bias [2,3] differ in shape");
  s.rejects_call(of(filled({2, 3}), filled({3}, DType::f64), {}), "[normalise] mixes f32 [2,3] with f64 [3]");
  s.rejects_call(of(filled({2, 3}), {}, filled({3}, DType::f64)), "[normalise] mixes f32 [2,3] with f64 [3]");
  s.rejects_call(of(filled({2, 3}, DType::i64), {}, {}), "[normalise] needs a floating dtype, not i64 [2,3]");
}

}  // namespace plumb::specs
