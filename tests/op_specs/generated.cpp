// Further cases, drawn from those of each spec: other values, dtypes and layouts, special values, and faults. Few in every
// run, thousands of each operator with PLUMB_NIGHTLY.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "autograd/blame.h"
#include "autograd/fault.h"
#include "tests/op_specs/checks.h"

namespace plumb::specs {
namespace {

std::int64_t tried = 0;

// Says how many cases there were: `plumb check operators` reads it in the report.
class Count final : public testing::Environment {
  void TearDown() override { testing::Test::RecordProperty("cases", std::to_string(tried)); }
};
[[maybe_unused]] const auto* const registered = testing::AddGlobalTestEnvironment(new Count);

std::int64_t cases_each(std::int64_t quick, std::int64_t nightly) {
  const char* wish = std::getenv("PLUMB_NIGHTLY");
  return wish && *wish ? nightly : quick;
}

// Numbers of one generated case, one after the other.
class Dice {
 public:
  explicit Dice(std::int64_t number) : at_(static_cast<std::uint64_t>(number) << 32 | 1u << 31) {}
  double uniform() { return hash_uniform(at_++); }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(uniform() * static_cast<double>(n)); }

 private:
  std::uint64_t at_;
};

Case redrawn(const Case& c, Dice& dice) {
  Case again = c;
  for (std::size_t i = 0; !c.ranges.empty() && i < c.inputs.size(); ++i) {
    const Range r = c.ranges[std::min(i, c.ranges.size() - 1)];
    std::vector<double> values(static_cast<std::size_t>(c.inputs[i].numel()));
    for (auto& v : values) v = r.low + (r.high - r.low) * dice.uniform();
    again.inputs[i] = Tensor::from(values, c.inputs[i].shape());
  }
  return again;
}

Tensor laid_out(const Tensor& t, std::size_t kind) {
  return kind == 0 ? t : kind == 1 ? transposed(t) : kind == 2 ? strided(t) : expanded(t);
}

std::vector<const Case*> small_cases(const Spec& s) {
  std::vector<const Case*> small;
  for (const auto* list : {&s.cases(), &s.aliased()})
    for (const Case& c : *list)
      if (!c.large) small.push_back(&c);
  return small;
}

// A value with each layout of its inputs, twice, against the reference and against plain inputs.
void expect_everything(const Spec& s, const Case& c, DType t, Dice& dice) {
  std::vector<Tensor> laid, plain;
  for (const Tensor& x : converted(c.inputs, t)) {
    laid.push_back(laid_out(x, dice.below(4)));
    plain.push_back(laid.back().clone());
  }
  expect_values(c, t, laid);
  const bool gradients = s.orders() > 0;
  const Outcome first = run(c.f, laid, gradients);
  EXPECT_TRUE(same(first, run(c.f, laid, gradients))) << c.label << ": the second time differs";
  EXPECT_TRUE(same(first, run(c.f, plain, gradients))) << c.label << ": the layout shows";
}

}  // namespace

void count_case() { ++tried; }

void generated(const Spec& s) {
  constexpr std::int64_t affordable = 40;
  const auto small = small_cases(s);
  for (std::int64_t i = 0; i < cases_each(30, 2600); ++i) {
    SCOPED_TRACE(fmt::format("generated case {}", i));
    Dice dice(i);
    const Case c = redrawn(*small[dice.below(small.size())], dice);
    count_case();
    expect_everything(s, c, c.dtypes[dice.below(c.dtypes.size())], dice);
    if (c.ranges.empty() || entries(c) > affordable) continue;  // given inputs have been differentiated as they are
    if (s.orders() >= 1 && i % 4 == 0) {
      count_case();
      const auto r = gradcheck(c.f, c.inputs);
      EXPECT_TRUE(r.ok) << c.label << ": " << r.report;
    }
    if (s.orders() >= 2 && i % 16 == 0) {
      count_case();
      const auto r = gradgradcheck(c.f, c.inputs);
      EXPECT_TRUE(r.ok) << c.label << ": " << r.report;
    }
    if (testing::Test::HasFailure()) return;
  }
}

// NaN, infinities, zeros, denormals and huge numbers among others: each place has the value that it has alone.
void special_values(const Spec& s) {
  if (!s.elementwise()) return;
  const auto specials = [](DType t) {
    const double tiny = t == DType::f64 ? 5e-324 : 1e-45, small = t == DType::f64 ? 1e-310 : 1e-40,
                 huge = t == DType::f64 ? 1e308 : 3e38;
    return std::vector<double>{nan, inf, -inf, 0.0, -0.0, tiny, -tiny, small, -small, huge, -huge, 1, -1};
  };
  const Case& c = s.cases().front();
  for (std::int64_t i = 0; i < cases_each(8, 400); ++i) {
    Dice dice(1'000'000 + i);
    const DType t = i % 2 ? DType::f64 : DType::f32;
    const auto n = static_cast<std::int64_t>(1 + dice.below(70));
    const auto list = specials(t);
    std::vector<Tensor> inputs;
    for (std::size_t k = 0; k < c.inputs.size(); ++k) {
      std::vector<double> values(static_cast<std::size_t>(n));
      for (auto& v : values) v = dice.below(2) ? list[dice.below(list.size())] : 4 * dice.uniform() - 2;
      inputs.push_back(laid_out(Tensor::from(values, {n}).to(t), 2 * dice.below(2)));
    }
    count_case();
    const Tensor all = c.f(Vars(inputs.begin(), inputs.end())).value();
    for (std::int64_t at = 0; at < n; ++at) {
      Vars alone;
      for (const auto& x : inputs) alone.emplace_back(x.select(0, at).clone());
      const double together = all.select(0, at).item(), single = c.f(alone).item();
      ASSERT_TRUE((std::isnan(together) && std::isnan(single)) ||
                  (together == single && std::signbit(together) == std::signbit(single)))
          << "generated case " << i << " in " << name_of(t) << " at " << at << ": " << together << ", alone " << single;
    }
  }
}

// Each operator that a case records is named when its output is spoiled, with the index.
void blamed(const Spec& s) {
  if (s.orders() < 1) return;
  for (const Case& c : s.cases()) {
    if (c.large) continue;
    const auto forward = [&] {
      Vars in;
      for (const auto& t : c.inputs) in.push_back(is_floating(t.dtype()) ? Var::leaf(t) : Var(t));
      return c.f(in);
    };
    const Fault none(-1, 0, 0);
    const Var y = forward();
    if (y.value().numel() == 0 || !is_floating(y.dtype())) continue;
    const std::int64_t operators = none.operators_seen();
    const bool view =
        std::ranges::any_of(c.inputs, [&](const Tensor& x) { return x.view().data == y.value().view().data; });
    ASSERT_TRUE(operators > 0 || view) << c.label << " records nothing";
    for (std::int64_t n = 0; n < operators; ++n) {
      count_case();
      const Fault fault(n, 7919u * static_cast<std::uint64_t>(n + 1), nan);
      try {
        const Blame on;
        forward();
        EXPECT_FALSE(fault.hit()) << c.label << ": a NaN of operator " << n << " was not seen";
      } catch (const NonFinite& e) {
        ASSERT_TRUE(fault.hit()) << c.label << ": " << e.what();
        EXPECT_EQ(e.op, fault.hit()->op) << c.label;
        EXPECT_EQ(e.index, fault.hit()->index) << c.label;
        EXPECT_FALSE(e.in_gradient) << c.label;
      }
    }
  }
}

}  // namespace plumb::specs
