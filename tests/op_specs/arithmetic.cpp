// Sums, products, powers, extremes and choices.
#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

// One rounding of the exact result: nothing more is allowed.
const Tolerance correctly_rounded{.f64 = 0x1p-52, .f32_ulps = 0.5, .bf16_ulps = 0.5};

}  // namespace

OP_SPEC("operator+(Var,Var)") {
  s.tolerance(correctly_rounded)
      .binary([](const Var& a, const Var& b) { return a + b; }, [](double a, double b) { return a + b; });
  s.exact({inf, 1}, inf)
      .exact({inf, -inf}, nan)
      .exact({nan, 1}, nan)
      .exact({1, nan}, nan)
      .exact({-0.0, -0.0}, -0.0)
      .exact({1000, -1000}, 0);
}

OP_SPEC("operator-(Var,Var)") {
  s.tolerance(correctly_rounded)
      .binary([](const Var& a, const Var& b) { return a - b; }, [](double a, double b) { return a - b; });
  s.exact({inf, inf}, nan).exact({1, inf}, -inf).exact({nan, 1}, nan).exact({-0.0, 0}, -0.0).exact({1000, 1000}, 0);
}

OP_SPEC("operator*(Var,Var)") {
  s.tolerance(correctly_rounded)
      .binary([](const Var& a, const Var& b) { return a * b; }, [](double a, double b) { return a * b; });
  s.exact({inf, 0}, nan).exact({-inf, 2}, -inf).exact({nan, 0}, nan).exact({-0.0, 3}, -0.0).exact({1000, -1000}, -1e6);
}

OP_SPEC("operator/(Var,Var)") {
  s.tolerance(correctly_rounded).domains({{-2, 2}, {0.5, 2}});
  s.binary([](const Var& a, const Var& b) { return a / b; }, [](double a, double b) { return a / b; });
  s.exact({1, 0}, inf)
      .exact({-1, 0}, -inf)
      .exact({0, 0}, nan)
      .exact({1, -inf}, -0.0)
      .exact({nan, 1}, nan)
      .exact({1000, -1000}, -1);
}

OP_SPEC("operator-(Var)") {
  s.tolerance(correctly_rounded).unary([](const Var& a) { return -a; }, [](double a) { return -a; });
  s.exact({0}, -0.0).exact({inf}, -inf).exact({nan}, nan).at({-1000, 1000});
}

OP_SPEC("operator+(Var,double)") {
  s.tolerance(correctly_rounded).unary([](const Var& a) { return a + 0.75; }, [](double a) { return a + 0.75; });
  s.exact({inf}, inf).exact({nan}, nan).at({-1000, 0, 1000});
}
OP_SPEC("operator+(double,Var)") {
  s.tolerance(correctly_rounded).unary([](const Var& a) { return 0.75 + a; }, [](double a) { return 0.75 + a; });
  s.exact({-inf}, -inf).exact({nan}, nan).at({-1000, 0, 1000});
}
OP_SPEC("operator-(Var,double)") {
  s.tolerance(correctly_rounded).unary([](const Var& a) { return a - 1.25; }, [](double a) { return a - 1.25; });
  s.exact({-inf}, -inf).exact({nan}, nan).at({-1000, 0, 1000});
}
OP_SPEC("operator-(double,Var)") {
  s.tolerance(correctly_rounded).unary([](const Var& a) { return 1.25 - a; }, [](double a) { return 1.25 - a; });
  s.exact({-inf}, inf).exact({nan}, nan).at({-1000, 0, 1000});
}
OP_SPEC("operator*(Var,double)") {
  s.tolerance(correctly_rounded).unary([](const Var& a) { return a * -1.5; }, [](double a) { return a * -1.5; });
  s.exact({-inf}, inf).exact({nan}, nan).exact({0}, -0.0).at({-1000, 1000});
}
OP_SPEC("operator*(double,Var)") {
  s.tolerance(correctly_rounded).unary([](const Var& a) { return -1.5 * a; }, [](double a) { return -1.5 * a; });
  s.exact({inf}, -inf).exact({nan}, nan).at({-1000, 0, 1000});
}
OP_SPEC("operator/(Var,double)") {
  s.tolerance(correctly_rounded).unary([](const Var& a) { return a / 3.0; }, [](double a) { return a / 3.0; });
  s.exact({inf}, inf).exact({nan}, nan).exact({-0.0}, -0.0).at({-1000, 1000});
}
OP_SPEC("operator/(double,Var)") {
  s.tolerance(correctly_rounded)
      .domain(0.5, 2)
      .unary([](const Var& a) { return 3.0 / a; }, [](double a) { return 3.0 / a; });
  s.exact({inf}, 0).exact({-inf}, -0.0).exact({0}, inf).exact({-0.0}, -inf).exact({nan}, nan).at({-1000, 1000});
}

OP_SPEC("pow") {
  s.domain(0.3, 2);
  for (const double e : {3.0, 2.0, 1.0, 0.5, 0.0, -1.0, -1.5, 0.37})
    s.unary([e](const Var& a) { return pow(a, e); }, [e](double a) { return std::pow(a, e); });
  const auto with = [&s](double e) {
    s.op([e](const Vars& v) { return pow(v[0], e); },
         [e](const Arrays& a) { return build(a[0].shape, [&](const Dims& i) { return std::pow(a[0].at(i), e); }); });
  };
  with(3);
  s.exact({-2}, -8).exact({inf}, inf).exact({-inf}, -inf).exact({nan}, nan).exact({-0.0}, -0.0).at({-1000, 1000});
  with(2);
  s.exact({-3}, 9).exact({-inf}, inf).exact({0}, 0).at({-1000, 1000});
  with(0);
  s.exact({0}, 1).exact({inf}, 1).exact({-2}, 1);
  with(-1);
  s.exact({0}, inf).exact({inf}, 0).exact({-4}, -0.25);
  with(0.5);
  s.exact({0}, 0).exact({-1}, nan).exact({inf}, inf).exact({4}, 2);
}

OP_SPEC("maximum") {
  s.tolerance(correctly_rounded).binary(maximum, [](double a, double b) { return a < b ? b : a; });
  s.exact({inf, 1}, inf).exact({-inf, 1}, 1).exact({-1000, 1000}, 1000).exact({nan, 1}, nan).exact({1, nan}, nan);
}
OP_SPEC("minimum") {
  s.tolerance(correctly_rounded).binary(minimum, [](double a, double b) { return b < a ? b : a; });
  s.exact({inf, 1}, 1).exact({-inf, 1}, -inf).exact({-1000, 1000}, -1000).exact({nan, 1}, nan).exact({1, nan}, nan);
}

OP_SPEC("clamp") {
  s.unary([](const Var& x) { return clamp(x, -0.75, 1.25); },
          [](double x) { return std::min(std::max(x, -0.75), 1.25); });
  s.exact({inf}, 1.25).exact({-inf}, -0.75).exact({nan}, nan).at({-1000, -0.75, 0, 1.25, 1000});
  s.rejects_call([] { clamp(filled({2}), 2, 1); }, "[clamp] the lower end 2 is above the upper end 1");
}

OP_SPEC("log_add_exp") {
  s.tolerance(
      {.f64 = 1e-12, .f32_ulps = 4, .bf16_ulps = 0.51, .of_largest = true});  // it cancels where the value is near 0
  s.binary(log_add_exp, [](double a, double b) { return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b))); });
  s.exact({inf, 1}, inf).exact({inf, inf}, inf).exact({-inf, -inf}, -inf).exact({-inf, 3}, 3).exact({inf, -inf}, inf);
  s.exact({1e4, 1e4}, 1e4 + std::log(2)).exact({-1000, -1000}, -1000 + std::log(2)).exact({1000, -1000}, 1000);
  s.exact({nan, 1}, nan).exact({1, nan}, nan);
}

OP_SPEC("where") {
  s.tolerance(correctly_rounded);
  s.op([](const Vars& v) { return where(v[0].value(), v[1], v[2]); },
       [](const Arrays& a) {
         const Shape shape =
             broadcast_shapes("reference", broadcast_shapes("reference", a[0].shape, a[1].shape), a[2].shape);
         return build(shape, [&](const Dims& i) {
           const auto& x = a[a[0].at(broadcast_index(a[0].shape, i)) != 0 ? 1 : 2];
           return x.at(broadcast_index(x.shape, i));
         });
       });
  const auto with = [&s](const Shape& mask, const Shape& a, const Shape& b) {
    s.on_tensors("mask, a, b", {s.random_index(mask, 0, 2).to(DType::u8), s.random(a), s.random(b)});
  };
  with({}, {}, {});
  with({0}, {0}, {0});
  with({17}, {17}, {17});
  with({3, 5}, {3, 5}, {3, 5});
  with({3, 1}, {4}, {});
  with({2, 1, 3}, {4, 1}, {1});
  with({4}, {3, 1}, {1, 4});
  s.rejects({filled({2}), filled({2}), filled({2})}, "[where] needs a u8 mask, not f32");
  s.rejects({filled({2}, DType::u8), filled({2}), filled({3})}, "[where] shapes [2] and [3] do not broadcast");
  s.rejects({filled({2}, DType::u8), filled({2}), filled({2}, DType::f64)}, "[where] mixes f32 [2] with f64 [2]");
}

OP_SPEC("operator<") {
  s.no_gradient().binary([](const Var& a, const Var& b) { return Var((a < b).to(a.dtype())); },
                         [](double a, double b) { return a < b; });
  s.exact({1, 1}, 0).exact({nan, 1}, 0).exact({-inf, inf}, 1).exact({-0.0, 0}, 0);
}
OP_SPEC("operator<=") {
  s.no_gradient().binary([](const Var& a, const Var& b) { return Var((a <= b).to(a.dtype())); },
                         [](double a, double b) { return a <= b; });
  s.exact({1, 1}, 1).exact({nan, 1}, 0).exact({inf, -inf}, 0).exact({-0.0, 0}, 1);
}
OP_SPEC("equal") {
  s.no_gradient().binary([](const Var& a, const Var& b) { return Var(equal(a, b).to(a.dtype())); },
                         [](double a, double b) { return a == b; });
  s.exact({1, 1}, 1).exact({nan, nan}, 0).exact({inf, inf}, 1).exact({-0.0, 0}, 1);
}

}  // namespace plumb::specs
