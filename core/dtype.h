// Element types of tensors, and the choice of a template instance by dtype.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/errors.h"

namespace plumb {

enum class DType : std::uint8_t { f64, f32, bf16, i64, i32, u8 };  // u8 is also the type of masks and comparisons

// The upper half of an f32; stored, never computed with.
struct Bf16 {
  std::uint16_t bits = 0;

  Bf16() = default;
  explicit Bf16(float x) {  // to nearest, ties to even; NaN stays NaN
    const auto u = std::bit_cast<std::uint32_t>(x);
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40u : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
  friend bool operator==(Bf16 a, Bf16 b) { return static_cast<float>(a) == static_cast<float>(b); }
};

constexpr std::size_t size_of(DType t) {
  constexpr std::size_t sizes[] = {8, 4, 2, 8, 4, 1};
  return sizes[static_cast<int>(t)];
}
constexpr const char* name_of(DType t) {
  constexpr const char* names[] = {"f64", "f32", "bf16", "i64", "i32", "u8"};
  return names[static_cast<int>(t)];
}
constexpr bool is_floating(DType t) { return t <= DType::bf16; }

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<Bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

// Calls f(T{}) with the C++ type of a dtype: visit_dtype(t, [&](auto zero) { using T = decltype(zero); ... }).
template <class F>
decltype(auto) visit_dtype(DType t, F&& f) {
  switch (t) {
    case DType::f64: return f(double{});
    case DType::f32: return f(float{});
    case DType::bf16: return f(Bf16{});
    case DType::i64: return f(std::int64_t{});
    case DType::i32: return f(std::int32_t{});
    case DType::u8: return f(std::uint8_t{});
  }
  throw Bug("unknown dtype");
}

}  // namespace plumb
