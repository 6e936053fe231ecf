// Conversion of one element from any dtype to any other: floats to integers truncate and saturate (NaN gives 0), and
// bf16 is rounded once, whatever it comes from.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/dtype.h"

namespace plumb::cpu {

// f64 to bf16 through f32 "rounded to odd", so that the second rounding sees what the first dropped.
inline Bf16 to_bf16(double x) {
  float f = static_cast<float>(x);
  if (static_cast<double>(f) != x && std::isfinite(f)) {
    auto u = std::bit_cast<std::uint32_t>(f);
    if (std::fabs(static_cast<double>(f)) > std::fabs(x)) --u;
    f = std::bit_cast<float>(u | 1u);
  }
  return Bf16(f);
}

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<From, Bf16>) {
    return convert<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, Bf16>) {
    if constexpr (std::is_same_v<From, float>) return Bf16(x);
    else return to_bf16(static_cast<double>(x));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    if (!(x >= static_cast<From>(Limits::min()))) return std::isnan(x) ? To{} : Limits::min();
    return x >= static_cast<From>(Limits::max()) ? Limits::max() : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace plumb::cpu
