// Products of every device against plain loops: windows of any stride, batches, accumulation, slices of K.
#include "tests/cuda/device_test.h"

namespace plumb::test {
namespace {

class Products : public OnDevices {};
using kernels::Matmul;

Raw transposed(const Raw& x) {
  Raw t = x;
  const int n = x.shape.size();
  std::swap(t.shape[n - 2], t.shape[n - 1]);
  std::swap(t.strides[n - 2], t.strides[n - 1]);
  return t;
}

// [batch, m, k] x [batch, k, n], row-major.
Values multiply(const Values& a, const Values& b, std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k,
                Values c) {
  for (std::int64_t x = 0; x < batch; ++x)
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t l = 0; l < k; ++l)
          c[static_cast<std::size_t>((x * m + i) * n + j)] +=
              a[static_cast<std::size_t>((x * m + i) * k + l)] * b[static_cast<std::size_t>((x * k + l) * n + j)];
  return c;
}

// How an [m, n] matrix lies in memory: by rows, by columns, pitched, with gaps both ways, or broadcast along a side.
Strides lies(int layout, std::int64_t m, std::int64_t n) {
  switch (layout) {
    case 0: return {n, 1};
    case 1: return {1, m};
    case 2: return {n + 3, 1};
    case 3: return {2 * n + 1, 2};
    case 4: return {0, 1};
    default: return {1, 0};
  }
}

TEST_F(Products, EveryPairOfLayoutsAgrees) {
  each([](Backend& d) {
    for (const DType t : floats) {
      for (const Shape& s : {Shape{5, 4, 7}, Shape{1, 6, 3}, Shape{6, 1, 3}, Shape{4, 5, 1}, Shape{1, 1, 1}}) {
        const std::int64_t m = s[0], n = s[1], k = s[2];
        for (int la = 0; la < 6; ++la)
          for (int lb = 0; lb < 6; ++lb)
            for (int lc = 0; lc < 4; ++lc) {
              const Array a(d, t, {m, k}, lies(la, m, k), rounded(normals(m * k * 2 + m * 4, 1), t));
              const Array b(d, t, {k, n}, lies(lb, k, n), rounded(normals(k * n * 2 + k * 4, 2), t));
              const Array c(d, t, {m, n}, lies(lc, m, n), rounded(normals(m * n * 2 + m * 4, 3), t));
              const bool adds = (la + lb + lc) % 2;
              const Values want = multiply(a.values(), b.values(), 1, m, n, k, adds ? c.values() : zeros(m * n));
              d.matmul({a.raw(), b.raw(), c.raw(), adds, 0});
              expect_close(c.values(), want, 4 * tolerance_of(t), fmt::format("{} {} {} {}", to_string(s), la, lb, lc));
            }
      }
    }
  });
}

TEST_F(Products, BatchesMayBeBroadcastAndPermuted) {
  each([](Backend& d) {
    const std::int64_t m = 3, n = 4, k = 5;
    const Array a(d, DType::f32, {2, 3, m, k}, {k, 2 * k, 6 * k, 1}, normals(6 * m * k, 1));  // heads inside rows
    const Array b(d, DType::f32, {2, 3, k, n}, {k * n, 0, n, 1}, normals(2 * k * n, 2)),
        c(d, DType::f32, {2, 3, m, n}, zeros(6 * m * n));
    d.matmul({a.raw(), b.raw(), c.raw(), false, 0});
    expect_close(c.values(), multiply(a.values(), b.values(), 6, m, n, k, zeros(6 * m * n)), 1e-6);
    const Array turned(d, DType::f32, {2, 3, n, m}, zeros(6 * m * n));
    d.matmul({a.raw(), b.raw(), transposed(turned.raw()), false, 0});
    const Array wanted(d, DType::f32, {2, 3, m, n}, {3 * m * n, m * n, 1, m}, turned.memory());
    expect_close(wanted.values(), c.values(), 1e-6);
  });
}

TEST_F(Products, SlicesOfKAreAddedExampleByExample) {
  each([](Backend& d) {
    const std::int64_t m = 4, n = 3, k = 22;
    const Array x(d, DType::f32, {k, m}, normals(k * m, 1)), g(d, DType::f32, {k, n}, normals(k * n, 2));
    const Values start = normals(m * n, 3);
    const Array c(d, DType::f32, {m, n}, start), folded(d, DType::f32, {m, n}, start);
    d.matmul({transposed(x.raw()), g.raw(), c.raw(), true, 5});
    const Array turned(d, DType::f32, {m, k}, {1, m}, x.memory());
    expect_close(c.values(), multiply(turned.values(), g.values(), 1, m, n, k, start), 2e-6);
    for (std::int64_t first = 0; first < k; first += 5) {
      Raw a = transposed(x.raw()), b = g.raw();
      a.shape[1] = b.shape[0] = std::min<std::int64_t>(5, k - first);
      a.data = static_cast<float*>(a.data) + first * m;
      b.data = static_cast<float*>(b.data) + first * n;
      d.matmul({a, b, folded.raw(), true, 0});
    }
    EXPECT_EQ(c.values(), folded.values());  // the same bits
  });
}

TEST_F(Products, EmptySumsAreZeroAndNarrowInputsAddInF32) {
  each([](Backend& d) {
    const Array a(d, DType::f32, {2, 0}, {}), b(d, DType::f32, {0, 2}, {}), c(d, DType::f32, {2, 2}, {1, 2, 3, 4});
    d.matmul({a.raw(), b.raw(), c.raw(), true, 0});
    EXPECT_EQ(c.values(), (Values{1, 2, 3, 4}));
    d.matmul({a.raw(), b.raw(), c.raw(), false, 0});
    EXPECT_EQ(c.values(), zeros(4));
    const Array x(d, DType::bf16, {3, 40}, rounded(normals(120, 1), DType::bf16)),
        y(d, DType::bf16, {40, 2}, rounded(normals(80, 2), DType::bf16));
    const Array sums(d, DType::f32, {3, 2}, zeros(6));
    d.matmul({x.raw(), y.raw(), sums.raw(), false, 0});
    expect_close(sums.values(), multiply(x.values(), y.values(), 1, 3, 2, 40, zeros(6)), 2e-6);
  });
}

}  // namespace
}  // namespace plumb::test
