// The statistics and their distributions under the null hypothesis.
#include "lab/check/numbers/statistics.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/errors.h"

namespace plumb::lab {
namespace {

// Upper incomplete gamma function over the gamma function: a series below a + 1, a continued fraction above (Lentz).
double gamma_tail(double a, double x) {
  if (x <= 0) return 1;
  const double scale = std::exp(a * std::log(x) - x - std::lgamma(a));
  constexpr double enough = 1e-15;
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (double n = a + 1; term > sum * enough; ++n) sum += term *= x / n;
    return 1 - scale * sum;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, value = d;
  for (int n = 1; n < 100000; ++n) {
    const double an = -n * (n - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    value *= c * d;
    if (std::abs(c * d - 1) < enough) break;
  }
  return scale * value;
}

// Calls f(draws below the end of a bin over all draws, the probability of that, the bin's probability), bin after bin.
template <class F>
void for_each_end(const Histogram& h, F&& f) {
  const auto n = static_cast<double>(h.total());
  std::uint64_t below = 0;
  double probability = 0;
  for (std::size_t i = 0; i < h.counts.size(); ++i) {
    below += h.counts[i];
    probability += h.expected[i];
    f(static_cast<double>(below) / n, probability, h.expected[i]);
  }
}

// The sum over draws of the gain, probability under `other` over the expected one, less 1: its distance from its mean in
// standard deviations. Bins that expect few draws stay out, or a single draw could decide.
double towards_p(const Histogram& h, const std::vector<double>& other) {
  PLUMB_ASSERT(other.size() == h.counts.size());
  const auto n = static_cast<double>(h.total());
  double sum = 0, mean = 0, square = 0;
  for (std::size_t i = 0; i < other.size(); ++i) {
    if (n * h.expected[i] < 10) continue;
    const double gain = other[i] / h.expected[i] - 1;
    sum += static_cast<double>(h.counts[i]) * gain;
    mean += h.expected[i] * gain;
    square += h.expected[i] * gain * gain;
  }
  return std::erfc((sum - n * mean) / std::sqrt(2 * n * (square - mean * mean))) / 2;
}

}  // namespace

std::uint64_t Histogram::total() const {
  std::uint64_t n = 0;
  for (const auto c : counts) n += c;
  return n;
}

double chi_square_tail(double statistic, double degrees_of_freedom) {
  return gamma_tail(degrees_of_freedom / 2, statistic / 2);
}

double kolmogorov_tail(double x) {
  if (x <= 0) return 1;
  constexpr double pi = std::numbers::pi;
  double sum = 0;
  if (x < 1) {  // the form that converges fast here
    for (int k = 1; k < 50; k += 2) sum += std::exp(-k * k * pi * pi / (8 * x * x));
    return 1 - std::sqrt(2 * pi) / x * sum;
  }
  for (int k = 1; k < 50; ++k) sum += (k % 2 ? 2 : -2) * std::exp(-2 * k * k * x * x);
  return sum;
}

// The limit for many draws: Marsaglia and Marsaglia, "Evaluating the Anderson-Darling distribution" (2004).
double anderson_darling_tail(double z) {
  if (z <= 0) return 1;
  if (z < 2)
    return 1 - std::exp(-1.2337141 / z) / std::sqrt(z) *
                   (2.00012 + (.247105 - (.0649821 - (.0347962 - (.011672 - .00168691 * z) * z) * z) * z) * z);
  const double exponent = 1.0776 - (2.30695 - (.43424 - (.082433 - (.008056 - .0003146 * z) * z) * z) * z) * z;
  return -std::expm1(-std::exp(exponent));
}

double chi_square_p(const Histogram& h) {
  PLUMB_ASSERT(h.counts.size() == h.expected.size());
  const auto n = static_cast<double>(h.total());
  struct Bin {
    double seen = 0, expected = 0;
  };
  std::vector<Bin> bins(1);
  for (std::size_t i = 0; i < h.counts.size(); ++i) {
    if (h.counts[i] > 0 && h.expected[i] == 0) return 0;  // what cannot be
    if (bins.back().expected >= 10) bins.emplace_back();
    bins.back().seen += static_cast<double>(h.counts[i]);
    bins.back().expected += n * h.expected[i];
  }
  if (bins.size() > 1 && bins.back().expected < 10) {  // what is left joins its neighbour
    const Bin last = bins.back();
    bins.pop_back();
    bins.back().seen += last.seen;
    bins.back().expected += last.expected;
  }
  double statistic = 0;
  for (const Bin& bin : bins) statistic += (bin.seen - bin.expected) * (bin.seen - bin.expected) / bin.expected;
  return chi_square_tail(statistic, static_cast<double>(bins.size() - 1));
}

double kolmogorov_smirnov_p(const Histogram& h) {
  double worst = 0;
  for_each_end(h, [&](double seen, double f, double) { worst = std::max(worst, std::abs(seen - f)); });
  return kolmogorov_tail(worst * std::sqrt(static_cast<double>(h.total())));
}

double anderson_darling_p(const Histogram& h) {
  double sum = 0, before = 0;
  for_each_end(h, [&](double seen, double f, double width) {
    const double now = f > 1e-12 && f < 1 - 1e-12 ? (seen - f) * (seen - f) / (f * (1 - f)) : 0;
    sum += (before + now) / 2 * width;
    before = now;
  });
  return anderson_darling_tail(sum * static_cast<double>(h.total()));
}

double shift_p(const Histogram& h) { return towards_p(h, h.shifted); }
double scale_p(const Histogram& h) { return towards_p(h, h.scaled); }

}  // namespace plumb::lab
