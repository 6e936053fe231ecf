// Elementary functions against references that share no code with them: all f32 numbers in the long form.
#include "lab/check/numbers/ulps.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/backend.h"
#include "core/cpu/isa.h"
#include "core/parallel.h"
#include "core/random.h"
#include "lab/check/check.h"
#include "lab/check/numbers/elementary.h"

namespace plumb::lab {
namespace {

struct Worst {
  double ulps = 0, at = 0;
  void see(double u, double x) {
    if (u > ulps) ulps = u, at = x;
  }
};

template <class T>
Raw raw(std::vector<T>& v) {
  const auto n = static_cast<std::int64_t>(v.size());
  return {v.data(), dtype_of<T>, {n}, {1}};
}

// The worst of n cases, in pieces on all threads: measure(first, last) looks at some.
template <class Measure>
Worst worst_of(std::int64_t n, const Measure& measure) {
  constexpr std::int64_t piece = 1 << 15;
  std::vector<Worst> found(static_cast<std::size_t>((n + piece - 1) / piece));
  parallel_for(static_cast<std::int64_t>(found.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      found[static_cast<std::size_t>(p)] = measure(p * piece, std::min(n, (p + 1) * piece));
  });
  Worst worst;
  for (const Worst& w : found) worst.see(w.ulps, w.at);
  return worst;
}

// Every stride-th pattern of 32 bits: all exponents, both signs, infinities and NaN. The reference in double finds the
// worst (it is off by 2^-28 of these ulps), which is then measured in 80 bits.
Worst worst_f32(const UnaryFunction& f, std::int64_t stride) {
  const Worst found = worst_of((std::int64_t{1} << 32) / stride, [&](std::int64_t first, std::int64_t last) {
    std::vector<float> x(static_cast<std::size_t>(last - first)), y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = std::bit_cast<float>(static_cast<std::uint32_t>((first + static_cast<std::int64_t>(i)) * stride));
    backend(cpu_device).unary(f.op, raw(x), raw(y));
    Worst worst;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (x[i] < f.low) continue;
      const double exact = f.wide(x[i]);
      if (worst.ulps >= 0.5 && static_cast<float>(exact) == y[i]) continue;  // nothing is nearer: at most half a unit
      worst.see(ulps(y[i], exact), x[i]);
    }
    return worst;
  });
  if (!std::isfinite(found.ulps) || found.ulps == 0) return found;
  std::vector<float> at{static_cast<float>(found.at)}, y{0};
  backend(cpu_device).unary(f.op, raw(at), raw(y));
  return {ulps(y[0], f.exact(found.at)), found.at};
}

// Patterns of 64 bits, spread over all exponents.
Worst worst_f64(const UnaryFunction& f, std::int64_t count) {
  return worst_of(count, [&](std::int64_t first, std::int64_t last) {
    std::vector<double> x(static_cast<std::size_t>(last - first)), y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = std::bit_cast<double>((static_cast<std::uint64_t>(first) + i) * 0x9E3779B97F4A7C15u);
    backend(cpu_device).unary(f.op, raw(x), raw(y));
    Worst worst;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (!(x[i] < f.low)) worst.see(ulps(y[i], f.exact(static_cast<long double>(x[i]))), x[i]);
    return worst;
  });
}

// Pairs within 2^-30 .. 2^30: by themselves, or near each other.
template <class T>
Worst worst_of_pairs(const BinaryFunction& f, std::int64_t count, const Key& key) {
  return worst_of(count, [&](std::int64_t first, std::int64_t last) {
    std::vector<T> a(static_cast<std::size_t>(last - first)), b(a.size()), y(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto at = static_cast<std::uint64_t>(first) + i;
      const auto anywhere = [&](const char* name) {
        const double size = std::exp2(60 * key.at(name).uniform_at(at) - 30);
        return static_cast<T>(key.at(name).at("sign").below(2, at) ? size : -size);
      };
      a[i] = f.largest_first > 0 ? static_cast<T>(std::fmod(anywhere("a"), f.largest_first)) : anywhere("a");
      b[i] = at % 2 ? anywhere("b") : a[i] + static_cast<T>(4 * key.at("b").normal_at(at));
    }
    backend(cpu_device).binary(f.op, raw(a), raw(b), raw(y));
    Worst worst;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto exact = f.exact(a[i], b[i]);
      const double unit = spacing(static_cast<T>(f.size(a[i], b[i], exact))) / spacing(static_cast<T>(exact));
      worst.see(ulps(y[i], exact) / std::max(unit, 1.0), a[i]);
    }
    return worst;
  });
}

// Probabilities, in units of 1 + |x - max|: the difference is rounded, and its exponential shows it. Or their logarithms,
// against the largest of the terms.
template <class T>
Worst worst_of_softmax(bool log, std::int64_t rows, const Key& key) {
  constexpr std::int64_t n = 100;
  const Tensor x = key.normal({rows, n}, 0, 5, dtype_of<T>);
  Tensor y = Tensor::empty({rows, n}, dtype_of<T>);
  backend(cpu_device).softmax(x.view(), log, y.view());
  Worst worst;
  for (std::int64_t r = 0; r < rows; ++r) {
    const T *in = x.data<T>() + r * n, *out = y.data<T>() + r * n;
    const long double top = *std::max_element(in, in + n);
    long double z = 0;
    for (std::int64_t i = 0; i < n; ++i) z += std::exp(in[i] - top);
    for (std::int64_t i = 0; i < n; ++i) {
      const long double below = in[i] - top, exact = log ? below - std::log(z) : std::exp(below) / z;
      const auto terms = static_cast<T>(std::max({std::fabs(top), std::fabs(below), std::log(z)}));
      const double unit = log ? std::max(1.0, spacing(terms) / spacing(static_cast<T>(exact)))
                              : 1 + static_cast<double>(std::fabs(below));
      worst.see(ulps(out[i], exact) / unit, static_cast<double>(below));
    }
  }
  return worst;
}

class Report {
 public:
  explicit Report(const CheckOptions& o)
      : cases_(o, fmt::format("functions within their ulps ({})", cpu::name_of(cpu::isa()))) {}
  // Measures the next function, unless another one is asked for.
  template <class F32, class F64>
  void add(const std::string& name, double f32_limit, double f64_limit, const F32& f32, const F64& f64) {
    const std::int64_t mine = next_++;
    if (!cases_.wants(mine)) return;
    const Worst a = f32(), b = f64();
    details_.push_back(fmt::format("{:<15} f32 {:7.4f} of {} ulps at {:<15.9g} f64 {:7.4f} of {} at {:.17g}", name,
                                   a.ulps, f32_limit, a.at, b.ulps, f64_limit, b.at));
    cases_.note(mine, a.ulps <= f32_limit && b.ulps <= f64_limit, details_.back());
  }
  CheckResult result() const {
    CheckResult r = cases_.result();
    r.details = details_;
    return r;
  }

 private:
  Cases cases_;
  std::int64_t next_ = 0;
  std::vector<std::string> details_;
};

CheckResult check_ulps(const CheckOptions& o) {
  Report report(o);
  const std::int64_t stride = o.full ? 1 : 4099, samples = o.full ? 10'000'000 : 100'000;
  for (const auto& f : unary_functions())
    report.add(
        f.name, f.f32_limit, f.f64_limit, [&] { return worst_f32(f, stride); }, [&] { return worst_f64(f, samples); });
  for (const auto& f : binary_functions()) {
    const Key key = Key(o.seed).at("ulps").at(f.name);
    report.add(
        f.name, f.f32_limit, f.f64_limit, [&] { return worst_of_pairs<float>(f, samples, key); },
        [&] { return worst_of_pairs<double>(f, samples, key); });
  }
  for (const bool log : {false, true}) {
    const Key key = Key(o.seed).at("softmax");
    report.add(
        log ? "log_softmax" : "softmax", log ? 2 : 6, log ? 2 : 6,
        [&] { return worst_of_softmax<float>(log, samples / 100, key); },
        [&] { return worst_of_softmax<double>(log, samples / 100, key); });
  }
  return report.result();
}

const CheckRegistration registered({.figure = "R10",
                                    .name = "ulps",
                                    .help = "elementary functions are within their units of the last place",
                                    .run = check_ulps});

}  // namespace
}  // namespace plumb::lab
