// Distribution functions from the C library, and the counting of draws on all threads.
#include "lab/check/numbers/laws.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/backend.h"
#include "core/parallel.h"

namespace plumb::lab {
namespace {

using kernels::Distribution;

constexpr double little = 0.003;  // a shift or a change of scale that must be noticed

long double uniform_below(long double x) { return std::clamp(x, 0.0L, 1.0L); }
long double normal_below(long double x) { return std::erfc(-x / std::numbers::sqrt2_v<long double>) / 2; }
long double gumbel_below(long double x) { return std::exp(-std::exp(-x)); }

// The normal between -2 and 2, scaled to unit variance: 1 - 2 * 2 density(2) / mass.
long double truncated_below(long double x) {
  const long double outside = normal_below(-2), mass = 1 - 2 * outside;
  const long double density =
      std::exp(-2.0L) * std::numbers::inv_sqrtpi_v<long double> / std::numbers::sqrt2_v<long double>;
  const long double z = x * std::sqrt(1 - 4 * density / mass);
  return std::clamp((normal_below(z) - outside) / mass, 0.0L, 1.0L);
}

// The real number at which rounding begins to give `edge`.
long double rounds_to(double edge, DType t) {
  if (t == DType::f64) return edge;
  const auto x = static_cast<float>(edge);
  return (static_cast<long double>(x) + std::nextafter(x, -std::numeric_limits<float>::infinity())) / 2;
}

template <class T>
void count(const Law& law, const Key& key, std::int64_t first, std::int64_t last, std::uint64_t* counts) {
  constexpr std::int64_t batch = 1 << 14;
  std::vector<T> x(batch);
  const auto top = static_cast<double>(law.bins - 1);
  for (; first < last; first += batch) {
    const std::int64_t n = std::min(batch, last - first);
    const Raw out{x.data(), law.dtype, {n}, {1}};
    backend(cpu_device).random(law.distribution, key.bits(), static_cast<std::uint64_t>(first), 0, 1, out);
    for (std::int64_t i = 0; i < n; ++i) {
      const double place = (static_cast<double>(x[static_cast<std::size_t>(i)]) - law.low) * law.per_unit;
      ++counts[static_cast<std::size_t>(std::clamp(place, 0.0, top))];
    }
  }
}

// Of each bin, for draws multiplied by `scale` and moved by `shift`.
std::vector<double> probabilities(const Law& law, long double scale, long double shift) {
  std::vector<double> all(law.bins);
  long double before = 0;
  for (std::size_t i = 0; i < law.bins; ++i) {
    const double end = law.low + static_cast<double>(i + 1) / law.per_unit;
    const long double x = law.rounds ? rounds_to(end, law.dtype) : end;
    const long double now = i + 1 == law.bins ? 1 : law.below((x - shift) / scale);
    all[i] = static_cast<double>(now - before);
    before = now;
  }
  return all;
}

}  // namespace

std::vector<Law> laws() {
  std::vector<Law> all;
  for (const DType t : {DType::f32, DType::f64}) {
    const auto add = [&](const char* name, Distribution d, double low, double per_unit, std::size_t bins,
                         long double (*below)(long double)) {
      all.push_back({std::string(name) + " " + name_of(t), d, t, low, per_unit, bins, below});
    };
    add("uniform", Distribution::uniform, 0, 4096, 4096, uniform_below);
    all.back().rounds = false;
    add("normal", Distribution::normal, -8, 256, 4096, normal_below);
    add("truncated_normal", Distribution::truncated_normal, -4, 512, 4096, truncated_below);
    add("gumbel", Distribution::gumbel, -4, 128, 4096, gumbel_below);
  }
  return all;
}

Histogram histogram_of(const Law& law, const Key& key, std::int64_t n) {
  constexpr std::int64_t slices = 64;
  std::vector<std::vector<std::uint64_t>> parts(slices, std::vector<std::uint64_t>(law.bins));
  parallel_for(slices, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) {
      const auto work = law.dtype == DType::f64 ? count<double> : count<float>;
      work(law, key, n * s / slices, n * (s + 1) / slices, parts[static_cast<std::size_t>(s)].data());
    }
  });
  Histogram h{std::vector<std::uint64_t>(law.bins), probabilities(law, 1, 0), probabilities(law, 1, little),
              probabilities(law, 1 + little, 0)};
  for (std::size_t i = 0; i < law.bins; ++i)
    for (const auto& part : parts) h.counts[i] += part[i];
  return h;
}

}  // namespace plumb::lab
