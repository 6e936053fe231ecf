// The tests that every spec becomes.
#include "tests/op_specs/checks.h"

#include <gtest/gtest.h>

#include <cfloat>

#include "autograd/backward.h"
#include "core/parallel.h"

namespace plumb::specs {

// ---- Tools ---------------------------------------------------------------------------------------------------------

std::vector<Tensor> converted(const std::vector<Tensor>& inputs, DType dtype) {
  std::vector<Tensor> out;
  for (const auto& t : inputs) out.push_back(is_floating(t.dtype()) ? t.to(dtype) : t);
  return out;
}

namespace {

Vars leaves(const std::vector<Tensor>& inputs) {
  Vars out;
  for (const auto& t : inputs) out.push_back(is_floating(t.dtype()) ? Var::leaf(t) : Var(t));
  return out;
}

Tensor upstream(const Tensor& value) {
  std::vector<double> g(static_cast<std::size_t>(value.numel()));
  for (std::size_t i = 0; i < g.size(); ++i) g[i] = 0.25 + static_cast<double>(i * 37 % 16) / 16;  // exact in bf16
  return Tensor::from(g, value.shape()).to(value.dtype());
}

}  // namespace

Outcome run(const Function& f, const std::vector<Tensor>& inputs, bool with_gradients) {
  const Vars xs = leaves(inputs);
  const Var y = f(xs);
  Outcome out{y.value(), {}};
  if (!with_gradients) return out;
  backward(std::vector<Root>{{y, upstream(y.value())}});
  for (const auto& x : xs)
    if (x.requires_grad()) out.gradients.push_back(x.grad());
  return out;
}

bool same(const Outcome& a, const Outcome& b) {
  bool equal = same_bits(a.value, b.value) && a.gradients.size() == b.gradients.size();
  for (std::size_t i = 0; equal && i < a.gradients.size(); ++i) equal = same_bits(a.gradients[i], b.gradients[i]);
  return equal;
}

double distance(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double worst = 0, scale = 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    scale = std::max(scale, std::abs(y[i]));
    const double off = std::abs(x[i] - y[i]);
    worst = std::isnan(off) ? inf : std::max(worst, off);
  }
  return worst / scale;
}

namespace {

double allowed(const Tolerance& t, DType dtype, double size) {
  switch (dtype) {
    case DType::f64: return t.f64 * size + DBL_MIN;
    case DType::f32: return t.f32_ulps * 0x1p-23 * size + FLT_MIN;
    default: return t.bf16_ulps * 0x1p-7 * size + FLT_MIN;
  }
}

double rounded(double x, DType dtype) {
  if (dtype == DType::f64) return x;
  return dtype == DType::f32 ? static_cast<double>(static_cast<float>(x))
                             : static_cast<double>(static_cast<float>(Bf16(static_cast<float>(x))));
}

// got is expected, or near enough; infinities and NaN exactly, and the sign of an expected -0.
testing::AssertionResult near(double got, double expected, double within) {
  const bool equal = got == expected || (std::isnan(got) && std::isnan(expected));
  const bool sign_kept = !(expected == 0 && std::signbit(expected)) || std::signbit(got);
  if ((equal && sign_kept) || (std::isfinite(expected) && expected != 0 && std::abs(got - expected) <= within))
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << fmt::format(
             "got {:.17g}, expected {:.17g}, off by {:.3g} where {:.3g} is allowed", got, expected,
             std::abs(got - expected), within);
}

// ---- Values --------------------------------------------------------------------------------------------------------

}  // namespace

void expect_values(const Case& c, DType dtype, const std::vector<Tensor>& inputs) {
  SCOPED_TRACE(fmt::format("{} in {}", c.label, name_of(dtype)));
  Arrays arrays;
  for (const auto& t : inputs) arrays.emplace_back(t);
  const Array expected = c.reference(arrays);
  const Tensor got = c.f(Vars(inputs.begin(), inputs.end())).value();
  ASSERT_EQ(to_string(got.shape()), to_string(expected.shape));
  double largest = 0;
  for (const double v : expected.values)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  const auto values = got.to_vector<double>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double e = expected.values[i];
    double within = allowed(c.tolerance, dtype, c.tolerance.of_largest ? largest : std::abs(e));
    const double target = std::isfinite(rounded(e, got.dtype())) ? e : rounded(e, got.dtype());
    if (e == 0 && std::abs(values[i]) <= within && c.tolerance.of_largest) continue;
    ASSERT_TRUE(near(values[i], target, within)) << "at row-major index " << i;
  }
}

namespace {

void values(const Spec& s) {
  for (const auto* list : {&s.cases(), &s.aliased()})
    for (const Case& c : *list)
      for (const DType t : c.dtypes) {
        count_case();
        expect_values(c, t, converted(c.inputs, t));
      }
}

void special_points(const Spec& s) {
  for (const Point& p : s.points())
    for (const DType t : {DType::f64, DType::f32}) {
      std::string label = name_of(t);
      Vars in;
      for (const double x : p.inputs) {
        in.emplace_back(Tensor::scalar(x, t));
        label += fmt::format(" {}", x);
      }
      SCOPED_TRACE(label);
      count_case();
      const double e = p.expected == 0                         ? p.expected
                       : std::abs(rounded(p.expected, t)) == 0 ? 0
                                                               : rounded(p.expected, t);
      EXPECT_TRUE(near(p.f(in).item(), e, allowed({}, t, std::abs(e))));
    }
}

// ---- Layouts -------------------------------------------------------------------------------------------------------

}  // namespace

Tensor transposed(const Tensor& t) {
  if (t.dim() < 2) return t;
  return t.transpose(-1, -2).contiguous().transpose(-1, -2);
}

Tensor strided(const Tensor& t) {
  Shape around = t.shape();
  for (auto& n : around) n = 2 * n + 1;
  const double poison = is_floating(t.dtype()) ? nan : 77;
  Tensor window = Tensor::full(around, poison, t.dtype());
  for (int i = 0; i < t.dim(); ++i) window = window.slice(i, 1, 2 * t.shape()[i] + 1, 2);
  window.copy_(t);
  return window;
}

Tensor expanded(const Tensor& t) {
  if (t.dim() == 0 || t.shape()[0] < 2) return t;
  return t.slice(0, 0, 1).expand(t.shape());
}

namespace {

void layouts(const Spec& s) {
  const std::pair<const char*, Tensor (*)(const Tensor&)> kinds[] = {
      {"transposed", transposed}, {"strided", strided}, {"expanded", expanded}};
  for (const Case& c : s.cases()) {
    if (c.large) continue;
    for (const auto& [kind, lay] : kinds) {
      SCOPED_TRACE(fmt::format("{} {}", kind, c.label));
      count_case();
      std::vector<Tensor> laid, plain;
      for (const auto& t : c.inputs) {
        laid.push_back(lay(t));
        plain.push_back(laid.back().clone());
      }
      EXPECT_TRUE(same(run(c.f, laid, s.orders() > 0), run(c.f, plain, s.orders() > 0)));
    }
  }
}

// ---- Gradients -----------------------------------------------------------------------------------------------------

}  // namespace

std::int64_t entries(const Case& c) {
  std::int64_t n = 0;
  for (const auto& t : c.inputs)
    if (is_floating(t.dtype())) n += t.numel();
  return n;
}

namespace {

void gradient(const Spec& s) {
  if (s.orders() < 1) return;
  for (const auto* list : {&s.cases(), &s.aliased()})
    for (const Case& c : *list) {
      if (c.large) continue;
      count_case();
      const auto r = gradcheck(c.f, c.inputs);
      EXPECT_TRUE(r.ok) << c.label << ": " << r.report;
    }
}

void second_gradient(const Spec& s) {
  if (s.orders() < 2) return;
  constexpr std::int64_t affordable = 150;
  for (const auto* list : {&s.cases(), &s.aliased()})
    for (const Case& c : *list) {
      if (c.large || entries(c) > affordable) continue;
      count_case();
      const auto r = gradgradcheck(c.f, c.inputs);
      EXPECT_TRUE(r.ok) << c.label << ": " << r.report;
    }
}

// backward() into leaves, grad() and grad(create_graph) are three ways to one result; narrow dtypes follow f64.
void gradients_agree(const Spec& s) {
  if (s.orders() < 1) return;
  for (const Case& c : s.cases()) {
    SCOPED_TRACE(c.label);
    const Outcome collected = run(c.f, c.inputs);
    for (const bool create_graph : {false, true}) {
      if (create_graph && s.orders() < 2) continue;
      const Vars xs = leaves(c.inputs);
      Vars wanted;
      for (const auto& x : xs)
        if (x.requires_grad()) wanted.push_back(x);
      const Var y = c.f(xs);
      const auto got = grad({y}, wanted, create_graph, {Var(upstream(y.value()))});
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_LE(distance(got[i].value(), collected.gradients[i]), 1e-12)
            << "input " << i << (create_graph ? " create_graph" : "");
    }
    for (const DType t : c.dtypes) {
      if (t == DType::f64) continue;
      const auto inputs = converted(c.inputs, t);
      const Outcome narrow = run(c.f, inputs), wide = run(c.f, converted(inputs, DType::f64));
      for (std::size_t i = 0; i < wide.gradients.size(); ++i)
        EXPECT_LE(distance(narrow.gradients[i], wide.gradients[i]), t == DType::f32 ? 1e-5 : 0.06)
            << name_of(t) << " input " << i;
    }
  }
}

void repeats(const Spec& s) {
  for (const Case& c : s.cases())
    for (const DType t : c.dtypes) {
      const auto inputs = converted(c.inputs, t);
      count_case();
      EXPECT_TRUE(same(run(c.f, inputs, s.orders() > 0), run(c.f, inputs, s.orders() > 0)))
          << c.label << " in " << name_of(t);
    }
}

void threads(const Spec& s) {
  const int before = num_threads();
  for (const Case& c : s.cases())
    for (const DType t : c.dtypes) {
      const auto inputs = converted(c.inputs, t);
      set_num_threads(1);
      const Outcome one = run(c.f, inputs, s.orders() > 0);
      for (const int n : {2, 3}) {
        count_case();
        set_num_threads(n);
        EXPECT_TRUE(same(one, run(c.f, inputs, s.orders() > 0)))
            << c.label << " in " << name_of(t) << " on " << n << " threads";
      }
    }
  set_num_threads(before);
}

// ---- Errors --------------------------------------------------------------------------------------------------------

void errors(const Spec& s) {
  for (const Rejection& r : s.rejections()) try {
      count_case();
      r.call();
      ADD_FAILURE() << "accepted what should say: " << r.text;
    } catch (const UserError& e) {
      EXPECT_NE(std::string(e.what()).find(r.text), std::string::npos) << "said: " << e.what() << "\nnot:  " << r.text;
    }
}

}  // namespace

const std::vector<TitledCheck>& checks() {
  static const std::vector<TitledCheck> all = {
      {"HasTheValueOfItsReference", values},
      {"IsRightAtSpecialPoints", special_points},
      {"GivesTheSameBitsInAnyLayout", layouts},
      {"HasTheGradientOfItsDifferences", gradient},
      {"HasTheSecondGradientOfItsDifferences", second_gradient},
      {"HasOneGradientByEveryWay", gradients_agree},
      {"RepeatsToTheBit", repeats},
      {"GivesTheSameBitsOnAnyThreads", threads},
      {"HoldsInGeneratedCases", generated},
      {"GivesEachPlaceItsOwnValue", special_values},
      {"IsBlamedForWhatItMakes", blamed},
      {"RefusesBadInputInWords", errors},
  };
  return all;
}

}  // namespace plumb::specs
