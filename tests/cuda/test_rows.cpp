// Softmax, norms, rotary embedding, columns of images and the optimiser, on every device, against plain loops.
#include "tests/cuda/device_test.h"

namespace plumb::test {
namespace {

class RowKernels : public OnDevices {};
using kernels::Norm;

Values softmax(const Values& x, std::size_t n, bool log) {
  Values y = x;
  for (std::size_t r = 0; r < x.size(); r += n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += std::exp(x[r + i]);
    for (std::size_t i = 0; i < n; ++i) y[r + i] = log ? x[r + i] - std::log(sum) : std::exp(x[r + i]) / sum;
  }
  return y;
}

TEST_F(RowKernels, SoftmaxAndItsGradient) {
  each([](Backend& d) {
    for (const DType t : floats)
      for (const std::int64_t n : {1, 7, 130, 1500})
        for (const bool log : {false, true}) {
          const Values x = rounded(normals(3 * n, 1), t), g = rounded(normals(3 * n, 2), t);
          const Array a(d, t, {3, n}, {1, 3}, x), y(d, t, {3, n}, zeros(3 * n)), dy(d, t, {3, n}, g),
              dx(d, t, {3, n}, zeros(3 * n));
          d.softmax(a.raw(), log, y.raw());
          expect_close(y.values(), softmax(a.values(), static_cast<std::size_t>(n), log), tolerance_of(t),
                       std::to_string(n));
          d.softmax_grad(y.raw(), dy.raw(), log, dx.raw());
          expect_same_bits([&] { d.softmax(a.raw(), log, y.raw()), d.softmax_grad(y.raw(), dy.raw(), log, dx.raw()); },
                           {&y, &dx});
          const Values out = y.values();
          Values want = g;
          for (std::size_t r = 0; r < want.size(); r += static_cast<std::size_t>(n)) {
            double sum = 0;
            const auto end = r + static_cast<std::size_t>(n);
            for (auto i = r; i < end; ++i) sum += log ? g[i] : g[i] * out[i];
            for (auto i = r; i < end; ++i) want[i] = log ? g[i] - std::exp(out[i]) * sum : out[i] * (g[i] - sum);
          }
          expect_close(dx.values(), want, 20 * tolerance_of(t) / (t == DType::bf16 ? 20 : 1), std::to_string(n));
        }
  });
}

struct NormCase {
  std::int64_t runs = 2, examples = 3, rows = 4, n = 150;
  bool center = true;
};

// y, dx, dgain, dbias by the definition, in double.
struct NormResult {
  Values y, dx, dgain, dbias;
};
NormResult norm_reference(const NormCase& c, const Values& x, const Values& gain, const Values& bias,
                          const Values& dy) {
  NormResult r{x, x, zeros(c.runs * c.n), zeros(c.runs * c.n)};
  const auto n = static_cast<std::size_t>(c.n);
  for (std::size_t row = 0; row * n < x.size(); ++row) {
    const std::size_t at = row * n, p = row / static_cast<std::size_t>(c.examples * c.rows) * n;
    double mean = 0, square = 0, level = 0, along = 0;
    for (std::size_t i = 0; i < n; ++i) mean += c.center ? x[at + i] / double(n) : 0;
    for (std::size_t i = 0; i < n; ++i) square += (x[at + i] - mean) * (x[at + i] - mean) / double(n);
    const double rstd = 1 / std::sqrt(square + 1e-5);
    for (std::size_t i = 0; i < n; ++i) {
      const double h = (x[at + i] - mean) * rstd, e = dy[at + i] * (gain[p + i] + 1);
      r.y[at + i] = h * (gain[p + i] + 1) + bias[p + i];
      level += c.center ? e / double(n) : 0;
      along += e * h / double(n);
      r.dgain[p + i] += dy[at + i] * h;
      r.dbias[p + i] += dy[at + i];
    }
    for (std::size_t i = 0; i < n; ++i) {
      r.dx[at + i] = rstd * (dy[at + i] * (gain[p + i] + 1) - level - (x[at + i] - mean) * rstd * along);
    }
  }
  return r;
}

TEST_F(RowKernels, NormsAndTheirGradients) {
  each([](Backend& d) {
    for (const DType t : {DType::f64, DType::f32})
      for (const bool center : {true, false}) {
        const NormCase c{.center = center};
        const std::int64_t rows = c.runs * c.examples * c.rows, all = rows * c.n, p = c.runs * c.n;
        const Values x = normals(all, 1), gain = normals(p, 2), bias = normals(p, 3), dy = normals(all, 4);
        const Array ax(d, t, {all}, x), ag(d, t, {p}, gain), ab(d, t, {p}, bias), ady(d, t, {all}, dy),
            y(d, t, {all}, zeros(all));
        const Array dx(d, t, {all}, zeros(all)), dgain(d, t, {p}, Values(p, 1.0)), dbias(d, t, {p}, zeros(p));
        const Array mean(d, t, {rows}, zeros(rows)), rstd(d, t, {rows}, zeros(rows));
        const Norm n{{c.runs, c.examples, c.rows},
                     c.n,
                     center,
                     1e-5,
                     1,
                     t,
                     ax.data(),
                     ag.data(),
                     ab.data(),
                     y.data(),
                     mean.data(),
                     rstd.data()};
        d.norm(n);
        d.norm_grad({n, ady.data(), dx.data(), dgain.data(), dbias.data()});
        NormResult want = norm_reference(c, x, gain, bias, dy);
        for (auto& v : want.dgain) v += 1;  // accumulated into
        expect_close(y.values(), want.y, 2 * tolerance_of(t));
        expect_same_bits(
            [&] {
              d.norm(n), d.norm_grad({n, ady.data(), dx.data(), nullptr, nullptr});
            },
            {&y, &dx, &mean, &rstd});
        expect_close(dx.values(), want.dx, 4 * tolerance_of(t));
        expect_close(dgain.values(), want.dgain, 4 * tolerance_of(t));
        expect_close(dbias.values(), want.dbias, 4 * tolerance_of(t));
      }
  });
}

TEST_F(RowKernels, RopeTurnsPairsAndTurnsBack) {
  each([](Backend& d) {
    for (const DType t : {DType::f64, DType::f32}) {
      const std::int64_t batch = 2, length = 5, heads = 3, width = 10, rotary = 6, n = batch * length * heads * width;
      const Values x = normals(n, 1);
      const Array a(d, t, {batch, length, heads, width}, x), y(d, t, {batch, length, heads, width}, zeros(n)),
          start(d, DType::i64, {2}, {7, 100});
      const kernels::Rope rope{a.raw(), y.raw(), 10000, rotary, static_cast<const std::int64_t*>(start.data()), false};
      d.rope(rope);
      Values want = x;
      for (std::int64_t i = 0; i < n; i += width) {
        const double position = double(i / width / heads % length) + (i / width / heads / length == 0 ? 7 : 100);
        for (std::int64_t k = 0; k < rotary / 2; ++k) {
          const double angle = position * std::pow(10000.0, -2.0 * double(k) / double(rotary));
          const auto u = static_cast<std::size_t>(i + k), v = u + rotary / 2;
          want[u] = x[u] * std::cos(angle) - x[v] * std::sin(angle);
          want[v] = x[v] * std::cos(angle) + x[u] * std::sin(angle);
        }
      }
      expect_close(y.values(), want, tolerance_of(t));
      d.rope({y.raw(), y.raw(), 10000, rotary, rope.start, true});  // in place
      expect_close(y.values(), x, tolerance_of(t));
    }
  });
}

TEST_F(RowKernels, ColumnsOfAnImageAndBack) {
  each([](Backend& d) {
    const std::int64_t batch = 2, channels = 3, height = 5, width = 4;
    const int kernel = 3, stride = 2, padding = 1;
    const std::int64_t oh = 3, ow = 2, n = batch * channels * height * width, m = batch * channels * 9 * oh * ow;
    const Values x = normals(n, 1), start = normals(n, 2);
    const Array image(d, DType::f64, {batch, channels, height, width}, x),
        cols(d, DType::f64, {batch, channels * 9, oh * ow}, zeros(m));
    const Array back(d, DType::f64, {batch, channels, height, width}, start);
    d.im2col(image.raw(), cols.raw(), kernel, stride, padding);
    d.col2im(cols.raw(), back.raw(), kernel, stride, padding);
    Values want, sums = start;
    for (std::int64_t i = 0; i < m; ++i) {
      const std::int64_t w = i % ow * stride - padding + i / ow / oh % 3,
                         h = i / ow % oh * stride - padding + i / ow / oh / 3 % 3;
      const bool is_inside = h >= 0 && h < height && w >= 0 && w < width;
      const auto at = static_cast<std::size_t>((i / ow / oh / 9 * height + h) * width + w);
      want.push_back(is_inside ? x[at] : 0);
      if (is_inside) sums[at] += x[at];
    }
    EXPECT_EQ(cols.values(), want);
    expect_close(back.values(), sums, 1e-14);
  });
}

TEST_F(RowKernels, AdamFollowsItsFormulaOnEachSlice) {
  each([](Backend& d) {
    for (const DType t : {DType::f64, DType::f32})
      for (const bool atan2 : {false, true}) {
        const Values p = normals(9, 1), g = normals(9, 2), m = normals(9, 3);
        Values u = normals(9, 4);
        for (auto& v : u) v *= v;
        const Array ap(d, t, {9}, p), ag(d, t, {9}, g), am(d, t, {9}, m), au(d, t, {9}, u);
        const kernels::AdamSlice slices[] = {{0, 4, 0.1, 0.01, 0.5}, {5, 4, 0.2, 0, 1}};
        d.adam({ap.data(), ag.data(), am.data(), au.data(), t, 0.9, 0.95, 1e-8, 0.19, 0.0975, atan2}, slices, 2);
        Values want_p = p, want_m = m, want_u = rounded(u, t);
        for (const auto& s : slices)
          for (auto i = static_cast<std::size_t>(s.offset); i < static_cast<std::size_t>(s.offset + s.count); ++i) {
            const double grad = g[i] * s.gradient_scale;
            want_m[i] = 0.9 * m[i] + 0.1 * grad;
            want_u[i] = 0.95 * u[i] + 0.05 * grad * grad;
            const double hat = want_m[i] / 0.19, root = std::sqrt(want_u[i] / 0.0975);
            const double delta = atan2 ? 1.27 * std::atan2(hat, root) : hat / (root + 1e-8);
            want_p[i] = p[i] - s.lr * delta - s.decay * p[i];
          }
        expect_close(ap.values(), want_p, tolerance_of(t));
        expect_close(am.values(), want_m, tolerance_of(t));
        expect_close(au.values(), want_u, tolerance_of(t));
      }
  });
}

}  // namespace
}  // namespace plumb::test
