// Attention, forward and backward, on every device, against the whole matrix in double.
#include "tests/cuda/device_test.h"

namespace plumb::test {
namespace {

class AttentionKernels : public OnDevices {};

struct Case {
  std::int64_t batch = 2, length = 5, keys = 5, heads = 4, kv_heads = 2, d = 8;
  double scale = 0.3, softcap = 0;
  bool causal = true, squared_relu = false;
  Values kv_length = {};
  std::int64_t relu_length = 0;
  double over_relu() const { return 1 / std::sqrt(double(relu_length ? relu_length : keys)); }
};

struct Result {
  Values out, log_sum_exp, max_logit, entropy, dq, dk, dv;
};

Result reference(const Case& c, const Values& q, const Values& k, const Values& v, const Values& dout) {
  Result r{q, {}, {}, {}, zeros(std::ssize(q)), zeros(std::ssize(k)), zeros(std::ssize(v))};
  for (std::int64_t b = 0; b < c.batch; ++b)
    for (std::int64_t h = 0; h < c.heads; ++h)
      for (std::int64_t t = 0; t < c.length; ++t) {
        const std::int64_t all =
            c.kv_length.empty() ? c.keys : static_cast<std::int64_t>(c.kv_length[static_cast<std::size_t>(b)]);
        const std::int64_t seen = c.causal ? std::clamp<std::int64_t>(all - c.length + t + 1, 0, all) : all;
        const auto row = static_cast<std::size_t>(((b * c.length + t) * c.heads + h) * c.d);
        const auto key = [&](std::int64_t s) {
          return static_cast<std::size_t>(((b * c.keys + s) * c.kv_heads + h / (c.heads / c.kv_heads)) * c.d);
        };
        const auto dot = [&](const Values& x, std::size_t i, const Values& y, std::size_t j) {
          double sum = 0;
          for (std::size_t e = 0; e < static_cast<std::size_t>(c.d); ++e) sum += x[i + e] * y[j + e];
          return sum;
        };
        Values z, p, slope;
        double sum = 0, top = -HUGE_VAL, entropy = 0, along = 0;
        for (std::int64_t s = 0; s < seen; ++s) {
          const double logit = c.scale * dot(q, row, k, key(s)), y = c.softcap > 0 ? std::tanh(logit / c.softcap) : 0;
          z.push_back(c.softcap > 0 ? c.softcap * y : logit);
          slope.push_back(c.scale * (1 - y * y));
          top = std::max(top, logit);
          sum += std::exp(z.back());
        }
        for (const double x : z)
          p.push_back(c.squared_relu ? std::pow(std::max(x, 0.0), 2) * c.over_relu() : std::exp(x) / sum);
        for (std::size_t s = 0; s < p.size(); ++s) {
          if (p[s] > 0 && !c.squared_relu) entropy -= p[s] * std::log(p[s]);
          along += p[s] * dot(dout, row, v, key(static_cast<std::int64_t>(s)));
        }
        r.log_sum_exp.push_back(std::log(sum)), r.max_logit.push_back(top), r.entropy.push_back(entropy);
        for (std::size_t e = 0; e < static_cast<std::size_t>(c.d); ++e) r.out[row + e] = 0;
        for (std::size_t s = 0; s < p.size(); ++s) {
          const std::size_t at = key(static_cast<std::int64_t>(s));
          const double dp = dot(dout, row, v, at);
          const double dz =
              slope[s] * (c.squared_relu ? dp * 2 * std::max(z[s], 0.0) * c.over_relu() : p[s] * (dp - along));
          for (std::size_t e = 0; e < static_cast<std::size_t>(c.d); ++e) {
            r.out[row + e] += p[s] * v[at + e];
            r.dq[row + e] += dz * k[at + e];
            r.dk[at + e] += dz * q[row + e];
            r.dv[at + e] += p[s] * dout[row + e];
          }
        }
      }
  return r;
}

const Case cases[] = {
    {},
    {.length = 40, .keys = 75, .d = 33},  // keys of a cache, odd sizes, several tiles
    {.length = 70, .keys = 70, .heads = 2, .kv_heads = 1, .softcap = 2},
    {.length = 9, .keys = 40, .causal = false},
    {.length = 34, .keys = 34, .kv_heads = 4, .squared_relu = true},
    {.length = 5, .keys = 7, .squared_relu = true, .relu_length = 50},
    {.length = 3, .keys = 70, .kv_length = {40, 3}},
    {.batch = 1, .length = 33, .keys = 33, .heads = 1, .kv_heads = 1, .d = 130},  // wider than a slice
    {.length = 6, .keys = 6, .kv_length = {4, 6}},                                // two queries that see nothing
};

// Everything the kernels give for a case, [B, H, T] statistics included.
void check(Backend& d, DType t, const Case& c) {
  const Shape qs{c.batch, c.length, c.heads, c.d}, ks{c.batch, c.keys, c.kv_heads, c.d},
      stats{c.batch, c.heads, c.length};
  const std::int64_t nq = numel(qs), nk = numel(ks), ns = numel(stats);
  const Values qv = rounded(normals(nq, 1), t), kv = rounded(normals(nk, 2), t), vv = rounded(normals(nk, 3), t),
               gv = rounded(normals(nq, 4), t);
  const Array q(d, t, qs, qv), k(d, t, ks, kv), v(d, t, ks, vv), g(d, t, qs, gv), out(d, t, qs, zeros(nq)),
      dq(d, t, qs, zeros(nq));
  const Array dk(d, t, ks, zeros(nk)), dv(d, t, ks, zeros(nk)),
      length(d, DType::i64, {c.batch}, c.kv_length.empty() ? zeros(c.batch) : c.kv_length);
  const DType sums = t == DType::f64 ? t : DType::f32;
  const Array lse(d, sums, stats, zeros(ns)), top(d, sums, stats, zeros(ns)), entropy(d, sums, stats, zeros(ns));
  kernels::Attention a{q.raw(),   k.raw(),  v.raw(),        out.raw(), lse.data(), c.scale,
                       c.softcap, c.causal, c.squared_relu, nullptr,   top.data(), entropy.data()};
  a.relu_length = c.relu_length;
  if (!c.kv_length.empty()) a.kv_length = static_cast<const std::int64_t*>(length.data());
  const auto call = [&] {
    d.attention(a);
    d.attention_grad({a, g.raw(), dq.raw(), dk.raw(), dv.raw()});
  };
  call();
  if (t == DType::f32) expect_same_bits(call, {&out, &lse, &top, &entropy, &dq, &dk, &dv});
  const Result want = reference(c, qv, kv, vv, gv);
  const double tolerance = t == DType::bf16 ? 3e-2 : 10 * tolerance_of(t);
  expect_close(out.values(), want.out, tolerance, "out");
  expect_close(top.values(), want.max_logit, tolerance, "max_logit");
  if (!c.squared_relu) expect_close(lse.values(), want.log_sum_exp, tolerance, "log_sum_exp");
  expect_close(entropy.values(), want.entropy, tolerance, "entropy");
  expect_close(dq.values(), want.dq, tolerance, "dq");
  expect_close(dk.values(), want.dk, tolerance, "dk");
  expect_close(dv.values(), want.dv, tolerance, "dv");
}

TEST_F(AttentionKernels, AgreeWithTheWholeMatrix) {
  each([](Backend& d) {
    for (const DType t : {DType::f64, DType::f32})
      for (std::size_t i = 0; i < std::size(cases); ++i) {
        SCOPED_TRACE(std::string(name_of(t)) + " case " + std::to_string(i));
        check(d, t, cases[i]);
      }
  });
}

TEST_F(AttentionKernels, ARowDoesNotSeeWhatComesLater) {
  each([](Backend& d) {
    const std::int64_t n = 50, heads = 1, width = 8, all = n * width;
    Values q = normals(all, 1), k = normals(all, 2), v = normals(all, 3);
    const auto run = [&](std::int64_t length) {
      const Shape s{1, length, heads, width};
      const auto part = [&](const Values& x) { return Values(x.begin(), x.begin() + length * width); };
      const Array aq(d, DType::f32, s, part(q)), ak(d, DType::f32, s, part(k)), av(d, DType::f32, s, part(v)),
          out(d, DType::f32, s, zeros(length * width));
      const Array lse(d, DType::f32, {length}, zeros(length));
      kernels::Attention a;
      a.q = aq.raw(), a.k = ak.raw(), a.v = av.raw(), a.out = out.raw(), a.log_sum_exp = lse.data();
      d.attention(a);
      return out.values();
    };
    const Values alone = run(37);
    for (std::size_t i = 40 * width; i < v.size(); ++i) q[i] = k[i] = v[i] = std::nan("");
    const Values longer = run(n);
    EXPECT_EQ(Values(longer.begin(), longer.begin() + 37 * width), alone);  // the same bits
  });
}

}  // namespace
}  // namespace plumb::test
