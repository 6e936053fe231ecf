// Sums, extremes and running sums over axes.
#include <algorithm>

#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

// For each kept index, the list of the entries that are folded there, in row-major order, and what becomes of them.
Array folded(const Array& x, const Dims& axes, bool keep,
             const std::function<double(const std::vector<double>&)>& fold) {
  bool over[max_dims] = {};
  for (int i = 0; i < x.shape.size(); ++i) over[i] = axes.empty();
  for (const auto a : axes) over[a < 0 ? a + x.shape.size() : a] = true;
  Shape kept = x.shape, dropped;
  for (int i = 0; i < x.shape.size(); ++i) {
    if (over[i]) kept[i] = 1;
    else dropped.push_back(x.shape[i]);
  }
  std::vector<std::vector<double>> lists(static_cast<std::size_t>(numel(kept)));
  Array position(kept);
  for (std::int64_t i = 0; i < position.count(); ++i) position[i] = static_cast<double>(i);
  for_each_index(x.shape, [&](const Dims& i) {
    lists[static_cast<std::size_t>(position.at(broadcast_index(kept, i)))].push_back(x.at(i));
  });
  Array out(keep ? kept : dropped);
  for (std::int64_t i = 0; i < out.count(); ++i) out[i] = fold(lists[static_cast<std::size_t>(i)]);
  return out;
}

double total(const std::vector<double>& v) {
  return dot(static_cast<std::int64_t>(v.size()), [&](std::int64_t i) { return v[static_cast<std::size_t>(i)]; });
}
double log_sum_exp_of(const std::vector<double>& v) {
  const double shift = v.empty() ? 0 : *std::max_element(v.begin(), v.end());
  if (!std::isfinite(shift)) return shift;
  long double z = 0;
  for (const double x : v) z += std::exp(x - shift);
  return static_cast<double>(std::log(z)) + shift;
}

const std::vector<std::pair<Shape, Dims>> sums = {{{}, {}},
                                                  {{1}, {}},
                                                  {{7}, {0}},
                                                  {{0}, {}},
                                                  {{3, 0}, {1}},
                                                  {{3, 0}, {0}},
                                                  {{3, 5}, {}},
                                                  {{3, 5}, {0}},
                                                  {{3, 5}, {1}},
                                                  {{3, 5}, {0, 1}},
                                                  {{2, 3, 4}, {1}},
                                                  {{2, 3, 4}, {0, -1}},
                                                  {{2, 1, 3, 2}, {1, 3}},
                                                  {{2, 0, 3}, {1}}};
const Tolerance of_terms{.f64 = 1e-12, .f32_ulps = 8, .bf16_ulps = 0.51, .of_largest = true};

// An operator over one axis with `keep`, on the usual shapes.
void over_an_axis(Spec& s, Var (*f)(const Var&, int, bool), double (*fold)(const std::vector<double>&)) {
  const std::vector<std::pair<Shape, int>> shapes = {{{1}, 0},       {{7}, 0},       {{3, 5}, 0}, {{3, 5}, -1},
                                                     {{2, 3, 4}, 1}, {{2, 3, 0}, 1}, {{4, 1}, 1}};
  for (const bool keep : {false, true})
    for (const auto& [shape, axis] : shapes) {
      s.op([f, axis = axis, keep](const Vars& v) { return f(v[0], axis, keep); },
           [fold, axis = axis, keep](const Arrays& a) { return folded(a[0], {axis}, keep, fold); });
      s.on(fmt::format("axis {} keep {}", axis, keep), {shape});
    }
  s.large({{37, 4, 301}});
}

}  // namespace

OP_SPEC("sum") {
  s.tolerance(of_terms);
  for (const bool keep : {false, true})
    for (const auto& [shape, axes] : sums) {
      s.op([axes = axes, keep](const Vars& v) { return sum(v[0], axes, keep); },
           [axes = axes, keep](const Arrays& a) { return folded(a[0], axes, keep, total); });
      s.on(fmt::format("axes {} keep {}", to_string(axes), keep), {shape});
    }
  s.op([](const Vars& v) { return sum(v[0], {1}); }, [](const Arrays& a) { return folded(a[0], {1}, false, total); });
  s.large({{7, 900, 13}}).large({{130, 517}});
  s.op([](const Vars& v) { return sum(v[0]); }, [](const Arrays& a) { return folded(a[0], {}, false, total); });
  s.large({{101, 1009}});
  s.exact({inf}, inf).exact({nan}, nan);
  s.rejects_call([] { sum(filled({2, 3}), {2}); }, "[sum] axis 2 does not exist in a tensor of 2 dimensions");
}

OP_SPEC("mean") {
  Tolerance t = of_terms;
  t.bf16_ulps = 1.1;  // the sum is rounded before it is divided
  s.tolerance(t);
  const auto average = [](const std::vector<double>& v) {
    return v.empty() ? 0.0 : total(v) / static_cast<double>(v.size());
  };
  for (const bool keep : {false, true})
    for (const auto& [shape, axes] : sums) {
      if (numel(shape) == 0) continue;
      s.op([axes = axes, keep](const Vars& v) { return mean(v[0], axes, keep); },
           [axes = axes, keep, average](const Arrays& a) { return folded(a[0], axes, keep, average); });
      s.on(fmt::format("axes {} keep {}", to_string(axes), keep), {shape});
    }
  s.op([](const Vars& v) { return mean(v[0], {0}); },
       [average](const Arrays& a) { return folded(a[0], {0}, false, average); });
  s.on("nothing to average", {{3, 0}});
  s.large({{301, 201}});
  s.rejects_call([] { mean(filled({0})); }, "[mean] shape [0] has no elements to average");
}

OP_SPEC("max") {
  over_an_axis(s, max, [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });
  s.op([](const Vars& v) { return max(stack({v[0], v[1]}, 0), 0); }, {});
  s.exact({-inf, inf}, inf)
      .exact({-inf, -inf}, -inf)
      .exact({-1000, 1000}, 1000)
      .exact({nan, 1}, nan)
      .exact({1, nan}, nan);
  s.rejects_call([] { max(filled({2, 0}), 1); }, "axis 1 of shape [2,0] is empty");
  s.rejects_call([] { max(filled({}), 0); }, "axis 0 does not exist in a tensor of 0 dimensions");
}

OP_SPEC("min") {
  over_an_axis(s, min, [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); });
  s.op([](const Vars& v) { return min(stack({v[0], v[1]}, 0), 0); }, {});
  s.exact({-inf, inf}, -inf)
      .exact({inf, inf}, inf)
      .exact({-1000, 1000}, -1000)
      .exact({nan, 1}, nan)
      .exact({1, nan}, nan);
  s.rejects_call([] { min(filled({2, 0}), 1); }, "axis 1 of shape [2,0] is empty");
}

OP_SPEC("log_sum_exp") {
  Tolerance t = of_terms;
  t.bf16_ulps = 2;  // composed: exponentials, sum and logarithm are rounded one by one
  s.tolerance(t);
  over_an_axis(s, log_sum_exp, log_sum_exp_of);
  s.op([](const Vars& v) { return log_sum_exp(stack({v[0], v[1]}, 0), 0); }, {});
  s.exact({-inf, -inf}, -inf).exact({-inf, 2}, 2).exact({inf, 1}, inf).exact({inf, -inf}, inf).exact({nan, 1}, nan);
  s.exact({1e4, 1e4}, 1e4 + std::log(2)).exact({-1000, -1000}, -1000 + std::log(2)).exact({1000, -1000}, 1000);
  s.rejects_call([] { log_sum_exp(filled({2, 0}), 1); }, "[log_sum_exp] axis 1 of shape [2,0] is empty");
}

OP_SPEC("cumsum") {
  Tolerance t = of_terms;
  t.bf16_ulps = 1.1;
  s.tolerance(t);
  const std::vector<std::pair<Shape, int>> shapes = {{{1}, 0},       {{0}, 0},        {{9}, 0},
                                                     {{3, 5}, 0},    {{3, 5}, 1},     {{2, 3, 4}, -2},
                                                     {{2, 0, 3}, 0}, {{250, 170}, 0}, {{250, 170}, 1}};
  for (const auto& [shape, axis] : shapes) {
    s.op([axis = axis](const Vars& v) { return cumsum(v[0], axis); },
         [axis = axis](const Arrays& a) {
           const int k = axis < 0 ? axis + a[0].shape.size() : axis;
           Array out = a[0];
           for_each_index(out.shape, [&](Dims i) {
             const double here = a[0].at(i);
             double before = 0;
             if (i[k] > 0) {
               --i[k];
               before = out.at(i);
               ++i[k];
             }
             out.at(i) = before + here;
           });
           return out;
         });
    if (numel(shape) > 1000) s.large({shape});
    else s.on(fmt::format("axis {}", axis), {shape});
  }
  s.rejects_call([] { cumsum(filled({3}), 1); }, "[cumsum] axis 1 does not exist in a tensor of 1 dimensions");
}

OP_SPEC("sum_to") {
  s.tolerance(of_terms);
  const std::vector<std::pair<Shape, Shape>> shapes = {{{}, {}},         {{3, 5}, {3, 5}},    {{3, 5}, {5}},
                                                       {{3, 5}, {3, 1}}, {{3, 5}, {}},        {{3, 5}, {1, 1}},
                                                       {{2, 3, 4}, {4}}, {{2, 3, 4}, {3, 1}}, {{2, 3, 4}, {2, 1, 4}},
                                                       {{0, 3}, {3}},    {{0, 3}, {1, 3}},    {{3, 0}, {1, 0}}};
  for (const auto& [from, to] : shapes) {
    s.op([to = to](const Vars& v) { return sum_to(v[0], to); },
         [to = to](const Arrays& a) {
           Array out(to);
           for_each_index(a[0].shape, [&](const Dims& i) { out.at(broadcast_index(to, i)) += a[0].at(i); });
           return out;
         });
    s.on("to " + to_string(to), {from});
  }
  s.rejects_call([] { sum_to(filled({3, 5}), {4}); }, "[sum_to] shape [3,5] is not a broadcast of [4]");
  s.rejects_call([] { sum_to(filled({5}), {3, 5}); }, "[sum_to] shape [5] is not a broadcast of [3,5]");
}

}  // namespace plumb::specs
