// How far a result is from the truth, in units of the last place, and the search for the farthest.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace plumb::lab {

// The distance of neighbours at x; of denormals too. Beyond the largest number, that of the largest.
inline double spacing(float x) {
  const std::uint64_t field = (std::bit_cast<std::uint32_t>(x) >> 23) & 255, exponent = field < 1     ? 1
                                                                                        : field > 254 ? 254
                                                                                                      : field;
  return std::bit_cast<double>((exponent + 1023 - 127 - 23) << 52);
}
inline double spacing(double x) {
  int exponent = 0;
  std::frexp(std::isinf(x) ? std::numeric_limits<double>::max() : x, &exponent);
  return std::ldexp(1.0, std::max(exponent - 53, -1074));
}

// Units of the last place between `got` and the exact result, where an infinity stands for the number after the largest.
// A NaN on one side only, or the wrong infinity, is infinitely far.
template <class T, class Real>
double ulps(T got, Real exact) {
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isinf(got) && std::isinf(exact)) return std::signbit(got) == std::signbit(exact) ? 0 : HUGE_VAL;
  constexpr T largest = std::numeric_limits<T>::max();
  const Real after = Real(largest) + Real(spacing(largest));
  const auto within = [&](Real x) { return x > after ? after : x < -after ? -after : x; };
  const Real distance = std::fabs(within(Real(got)) - within(exact));
  return static_cast<double>(distance / Real(spacing(static_cast<T>(exact))));
}

}  // namespace plumb::lab
