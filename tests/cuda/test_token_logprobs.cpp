// Log-probabilities of labels and their gradient, on every device, against the whole matrix in double.
#include "tests/cuda/device_test.h"

namespace plumb::test {
namespace {

class Logprobs : public OnDevices {};

struct Case {
  std::int64_t runs = 2, examples = 3, rows = 4, d = 6, vocab = 21;
  double scale = 0.7, softcap = 0;
  std::int64_t all() const { return runs * examples * rows; }
};
struct Result {
  Values logp, log_z, dx, dw, dbias;
};

Result reference(const Case& c, const Values& x, const Values& w, const Values& bias, const Values& labels,
                 const Values& g, const Values& gz) {
  Result r{{}, {}, zeros(std::ssize(x)), zeros(std::ssize(w)), zeros(std::ssize(bias))};
  const auto d = static_cast<std::size_t>(c.d), vocab = static_cast<std::size_t>(c.vocab);
  for (std::size_t n = 0; n < static_cast<std::size_t>(c.all()); ++n) {
    const std::size_t run = n / static_cast<std::size_t>(c.examples * c.rows);
    Values z, slope;
    double sum = 0;
    for (std::size_t i = 0; i < vocab; ++i) {
      double dot = 0;
      for (std::size_t e = 0; e < d; ++e) dot += x[n * d + e] * w[(run * vocab + i) * d + e];
      const double logit = c.scale * dot + bias[run * vocab + i], y = c.softcap > 0 ? std::tanh(logit / c.softcap) : 0;
      z.push_back(c.softcap > 0 ? c.softcap * y : logit);
      slope.push_back(1 - y * y);
      sum += std::exp(z.back());
    }
    const bool is_real = labels[n] >= 0;
    r.log_z.push_back(is_real ? std::log(sum) : 0);
    r.logp.push_back(is_real ? z[static_cast<std::size_t>(labels[n])] - std::log(sum) : 0);
    for (std::size_t i = 0; is_real && i < vocab; ++i) {
      const double p = std::exp(z[i]) / sum, dz = slope[i] * (g[n] * ((double(i) == labels[n]) - p) + gz[n] * p);
      r.dbias[run * vocab + i] += dz;
      for (std::size_t e = 0; e < d; ++e) {
        r.dx[n * d + e] += c.scale * dz * w[(run * vocab + i) * d + e];
        r.dw[(run * vocab + i) * d + e] += c.scale * dz * x[n * d + e];
      }
    }
  }
  return r;
}

void check(Backend& d, DType t, DType weight, const Case& c, double tolerance) {
  const std::int64_t n = c.all(), nw = c.runs * c.vocab * c.d, nb = c.runs * c.vocab;
  const DType sums = t == DType::f64 ? t : DType::f32;
  const Values x = rounded(normals(n * c.d, 1), weight), w = rounded(normals(nw, 2), weight),
               bias = rounded(normals(nb, 3), t);
  const Values labels = integers(n, 4, -1, c.vocab), g = normals(n, 5), gz = normals(n, 6);
  const Array ax(d, t, {n, c.d}, x), aw(d, weight, {nw}, w), ab(d, t, {nb}, bias), al(d, DType::i64, {n}, labels),
      ag(d, sums, {n}, g), agz(d, sums, {n}, gz);
  const Array logp(d, sums, {n}, zeros(n)), log_z(d, sums, {n}, zeros(n)), dx(d, t, {n * c.d}, zeros(n * c.d)),
      dw(d, sums, {nw}, Values(static_cast<std::size_t>(nw), 1.0));
  const Array dbias(d, sums, {nb}, zeros(nb));
  const kernels::TokenLogprobs f{{c.runs, c.examples, c.rows},
                                 c.d,
                                 c.vocab,
                                 t,
                                 weight,
                                 c.scale,
                                 c.softcap,
                                 ax.data(),
                                 aw.data(),
                                 ab.data(),
                                 static_cast<const std::int64_t*>(al.data()),
                                 logp.data(),
                                 log_z.data()};
  d.token_logprobs(f);
  d.token_logprobs_grad({f, ag.data(), agz.data(), dx.data(), dw.data(), dbias.data()});
  expect_same_bits(
      [&] {
        d.token_logprobs(f), d.token_logprobs_grad({f, ag.data(), agz.data(), dx.data(), nullptr, nullptr});
      },
      {&logp, &log_z, &dx});
  Result want = reference(c, x, w, bias, labels, g, gz);
  for (auto& v : want.dw) v += 1;  // accumulated into
  expect_close(logp.values(), want.logp, tolerance, "logp");
  expect_close(log_z.values(), want.log_z, tolerance, "log_z");
  expect_close(dx.values(), want.dx, tolerance, "dx");
  expect_close(dw.values(), want.dw, tolerance, "dw");
  expect_close(dbias.values(), want.dbias, tolerance, "dbias");
}

TEST_F(Logprobs, AgreeWithTheWholeMatrix) {
  each([](Backend& d) {
    for (const double softcap : {0.0, 1.5}) {
      check(d, DType::f64, DType::f64, {.softcap = softcap}, 1e-11);
      check(d, DType::f32, DType::f32, {.softcap = softcap}, 1e-5);
      check(d, DType::f32, DType::f32, {.runs = 1, .examples = 2, .rows = 1, .vocab = 700, .softcap = softcap}, 1e-5);
      check(d, DType::bf16, DType::bf16, {.softcap = softcap}, 2e-2);
    }
  });
}

TEST_F(Logprobs, NarrowWeightsAreMultipliedNarrow) {
  each([](Backend& d) { check(d, DType::f32, DType::bf16, {}, 2e-2); });
}

}  // namespace
}  // namespace plumb::test
