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

// How much is looked at: every stride-th pattern of 32 bits (all exponents, both signs, infinities and NaN), as many of 64
// bits, spread evenly over theirs, and draws from where functions bend.
struct Size {
  std::int64_t stride, patterns, draws;
};
template <class T>
T pattern(std::int64_t i, std::int64_t stride) {
  if constexpr (sizeof(T) == 4) return std::bit_cast<T>(static_cast<std::uint32_t>(i * stride));
  else return std::bit_cast<T>(static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15u);
}

// A reference in double finds the worst f32 (it is off by 2^-28 of these ulps), which is then measured in 80 bits.
template <class T>
Worst worst_of_unary(const UnaryFunction& f, const Size& size, const Key& key) {
  using Real = std::conditional_t<sizeof(T) == 4, double, long double>;
  const std::int64_t patterns = sizeof(T) == 4 ? (std::int64_t{1} << 32) / size.stride : size.patterns;
  const auto input = [&](std::int64_t i) {
    if (i < patterns) return pattern<T>(i, size.stride);
    if (i -= patterns; i < size.draws) return static_cast<T>(48 * key.uniform_at(static_cast<std::uint64_t>(i)) - 24);
    return static_cast<T>(f.hard[static_cast<std::size_t>(i - size.draws)]);
  };
  const Worst found = worst_of(patterns + size.draws + std::ssize(f.hard), [&](std::int64_t first, std::int64_t last) {
    std::vector<T> x(static_cast<std::size_t>(last - first)), y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = input(first + static_cast<std::int64_t>(i));
    backend(cpu_device).unary(f.op, raw(x), raw(y));
    Worst worst;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (x[i] < f.low) continue;
      const Real exact = sizeof(T) == 4 ? f.wide(static_cast<double>(x[i])) : f.exact(x[i]);
      if (worst.ulps >= 0.5 && static_cast<T>(exact) == y[i]) continue;  // nothing is nearer: at most half a unit
      worst.see(ulps(y[i], exact), x[i]);
    }
    return worst;
  });
  if (!std::isfinite(found.ulps) || found.ulps == 0) return found;
  std::vector<T> at{static_cast<T>(found.at)}, y{0};
  backend(cpu_device).unary(f.op, raw(at), raw(y));
  return {ulps(y[0], f.exact(at[0])), found.at};
}

// Pairs within 2^-30 .. 2^30: by themselves, near each other, or both below 1; then the hard ones.
template <class T>
Worst worst_of_pairs(const BinaryFunction& f, std::int64_t count, const Key& key) {
  return worst_of(count + std::ssize(f.hard), [&](std::int64_t first, std::int64_t last) {
    std::vector<T> a(static_cast<std::size_t>(last - first)), b(a.size()), y(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto at = static_cast<std::uint64_t>(first) + i;
      if (const auto number = static_cast<std::int64_t>(at); number >= count) {
        const auto& [x, z] = f.hard[static_cast<std::size_t>(number - count)];
        a[i] = static_cast<T>(x), b[i] = static_cast<T>(z);
        continue;
      }
      const auto anywhere = [&](const char* name) {
        const double size = std::exp2(60 * key.at(name).uniform_at(at) - 30);
        return static_cast<T>(key.at(name).at("sign").below(2, at) ? size : -size);
      };
      const auto below_one = [&](const char* name) { return static_cast<T>(2 * key.at(name).uniform_at(at) - 1); };
      a[i] = at % 3 == 2           ? below_one("a")
             : f.largest_first > 0 ? static_cast<T>(std::fmod(anywhere("a"), f.largest_first))
                                   : anywhere("a");
      b[i] = at % 3 == 2   ? below_one("b")
             : at % 3 == 1 ? anywhere("b")
                           : a[i] + static_cast<T>(4 * key.at("b").normal_at(at));
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
Worst worst_of_rows(const Tensor& x, bool log) {
  const std::int64_t rows = x.shape()[0], n = x.shape()[1];
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
// Many short rows, and a long one of terms that each are lost when they are added to the largest (of which the logarithm,
// itself near 0, is only as good as the sum near 1).
template <class T>
Worst worst_of_softmax(bool log, std::int64_t rows, const Key& key) {
  Worst worst = worst_of_rows<T>(key.normal({rows, 100}, 0, 5, dtype_of<T>), log);
  if (log) return worst;
  std::vector<T> steep(20'000, sizeof(T) == 4 ? -17 : -37);
  steep[0] = 0;
  const Worst other = worst_of_rows<T>(Tensor::from(steep, {1, std::ssize(steep)}), log);
  worst.see(other.ulps, other.at);
  return worst;
}

template <class F32, class F64>
void measure(Cases& cases, const std::string& name, double f32_limit, double f64_limit, const F32& f32,
             const F64& f64) {
  if (!cases.next()) return;
  const Worst a = f32(), b = f64();
  const std::string line = fmt::format("{:<15} f32 {:7.4f} of {} ulps at {:<15.9g} f64 {:7.4f} of {} at {:.17g}", name,
                                       a.ulps, f32_limit, a.at, b.ulps, f64_limit, b.at);
  cases.note(a.ulps <= f32_limit && b.ulps <= f64_limit, line);
  cases.detail(line);
}

CheckResult check_ulps(const CheckOptions& o) {
  Cases cases(o, fmt::format("functions within their ulps ({})", cpu::name_of(cpu::isa())));
  const std::int64_t samples = o.full ? 10'000'000 : 100'000;
  const Size size{.stride = o.full ? 1 : 4099, .patterns = samples, .draws = samples};
  const Key key = Key(o.seed).at("ulps");
  for (const auto& f : unary_functions())
    measure(
        cases, f.name, f.f32_limit, f.f64_limit, [&] { return worst_of_unary<float>(f, size, key.at(f.name)); },
        [&] { return worst_of_unary<double>(f, size, key.at(f.name)); });
  for (const auto& f : binary_functions())
    measure(
        cases, f.name, f.f32_limit, f.f64_limit, [&] { return worst_of_pairs<float>(f, samples, key.at(f.name)); },
        [&] { return worst_of_pairs<double>(f, samples, key.at(f.name)); });
  for (const bool log : {false, true}) {
    const Key rows = Key(o.seed).at("softmax");
    measure(
        cases, log ? "log_softmax" : "softmax", log ? 2 : 6, log ? 2 : 6,
        [&] { return worst_of_softmax<float>(log, samples / 100, rows); },
        [&] { return worst_of_softmax<double>(log, samples / 100, rows); });
  }
  return cases.result();
}

const CheckRegistration registered({.figure = "R10",
                                    .name = "ulps",
                                    .help = "elementary functions are within their units of the last place",
                                    .run = check_ulps});

}  // namespace
}  // namespace plumb::lab
