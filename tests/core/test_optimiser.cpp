// The optimiser pass against the formula, slices, threads and instruction sets.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/cpu/optimiser_table.h"
#include "core/parallel.h"
#include "core/random.h"
#include "tests/core/isa_cases.h"

namespace plumb {
namespace {

struct Arenas {
  Tensor param, grad, m, u;
  explicit Arenas(std::int64_t n, DType t)
      : param(Key(1).normal({n}, 0, 1, t)),
        grad(Key(2).normal({n}, 0, 1, t)),
        m(Key(3).normal({n}, 0, 0.1, t)),
        u(Key(4).uniform({n}, 0.01, 1, t)) {}
  kernels::Adam pass(bool atan2) const {
    return {param.raw(), grad.raw(), m.raw(), u.raw(), param.dtype(), 0.9, 0.95, 1e-8, 0.271, 0.142625, atan2};
  }
};

TEST(Adam, FollowsTheFormulaOnItsSlicesOnly) {
  for (const bool atan2 : {false, true}) {
    Arenas a(30000, DType::f64);
    const auto p = a.param.to_vector<double>(), g = a.grad.to_vector<double>(), m = a.m.to_vector<double>(),
               u = a.u.to_vector<double>();
    const kernels::AdamSlice slices[] = {
        {3, 20001, 0.01, 0.001, 0.5}, {20010, 0, 1, 1, 1}, {20010, 77, 0.1, 0, 1}, {20100, 9900, 0.02, 0.01, 2}};
    backend(Device{}).adam(a.pass(atan2), slices, 4);
    const auto q = a.param.to_vector<double>(), m2 = a.m.to_vector<double>(), u2 = a.u.to_vector<double>();
    for (std::size_t i = 0; i < p.size(); ++i) {
      const kernels::AdamSlice* s = nullptr;
      for (const auto& c : slices)
        if (static_cast<std::int64_t>(i) >= c.offset && static_cast<std::int64_t>(i) < c.offset + c.count) s = &c;
      if (!s) {
        ASSERT_TRUE(q[i] == p[i] && m2[i] == m[i] && u2[i] == u[i]);
        continue;
      }
      const double gi = s->gradient_scale * g[i], mi = 0.9 * m[i] + (1 - 0.9) * gi,
                   ui = 0.95 * u[i] + (1 - 0.95) * (gi * gi);
      const double mean = mi / 0.271, root = std::sqrt(ui / 0.142625),
                   delta = atan2 ? 1.27 * std::atan2(mean, root) : mean / (root + 1e-8);
      ASSERT_EQ(m2[i], mi);
      ASSERT_EQ(u2[i], ui);
      ASSERT_NEAR(q[i], p[i] - s->lr * delta - s->decay * p[i], 1e-15 * (1 + std::fabs(p[i]))) << i;
    }
  }
}

TEST(Adam, ThreadsDoNotMatter) {
  const int before = num_threads();
  const kernels::AdamSlice slices[] = {{0, 12345, 0.01, 0.001, 1}, {12345, 87655, 0.02, 0, 1}};
  set_num_threads(1);
  Arenas one(100000, DType::f32), three(100000, DType::f32);
  backend(Device{}).adam(one.pass(false), slices, 2);
  set_num_threads(3);
  backend(Device{}).adam(three.pass(false), slices, 2);
  set_num_threads(before);
  EXPECT_TRUE(same_bits(one.param, three.param) && same_bits(one.m, three.m) && same_bits(one.u, three.u));
}

TEST(Adam, WithoutEpsilonNoGradientIsNoStep) {
  Tensor param = Tensor::full({20}, 2), grad = Tensor::zeros({20}), m = Tensor::zeros({20}), u = Tensor::zeros({20});
  for (const bool atan2 : {false, true}) {
    const kernels::Adam pass{param.raw(), grad.raw(), m.raw(), u.raw(), DType::f32, 0.9, 0.95, 0, 0.1, 0.05, atan2};
    const kernels::AdamSlice slice{0, 20, 0.1, 0, 1};
    backend(Device{}).adam(pass, &slice, 1);
    EXPECT_EQ(param.to_vector<float>(), std::vector<float>(20, 2.0f));
  }
}

TEST(Adam, EveryInstructionSetGivesTheSameBits) {
  const cpu::AdamConstants<float> c{0.9f, 0.1f, 0.95f, 0.05f, 0.3f, 0.2f, 1e-8f, 0.01f, 0.001f, 0.7f, false};
  std::vector<float> expected;
  for (const auto& [isa, table] : test::runnable<cpu::OptimiserTable>(
           cpu::baseline::optimiser_table, cpu::avx2::optimiser_table, cpu::avx512::optimiser_table)) {
    Arenas a(1003, DType::f32);
    table->adam_f32(c, a.param.data<float>(), a.grad.data<float>(), a.m.data<float>(), a.u.data<float>(), 1003);
    if (expected.empty()) expected = a.param.to_vector<float>();
    EXPECT_EQ(a.param.to_vector<float>(), expected) << isa;
  }
}

}  // namespace
}  // namespace plumb
