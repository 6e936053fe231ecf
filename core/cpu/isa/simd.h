// Vectors of one register, as wide as the instruction set: GCC's vector types, and the few operations they lack.
// Masks are integer vectors of 0 and -1, as comparisons give them; `mask ? a : b` selects.
#pragma once

#include <immintrin.h>
#include <sleef.h>

#include "core/cpu/isa/isa.h"

#define PLUMB_INLINE static inline __attribute__((always_inline))

namespace plumb::cpu::PLUMB_ISA_NS {

typedef float F32 __attribute__((vector_size(vector_bytes)));
typedef double F64 __attribute__((vector_size(vector_bytes)));
typedef int32_t I32 __attribute__((vector_size(vector_bytes)));
typedef int64_t I64 __attribute__((vector_size(vector_bytes)));

template <class T>
struct Simd;
template <>
struct Simd<float> {
  using V = F32;
  using M = I32;
  using I = int32_t;
};
template <>
struct Simd<double> {
  using V = F64;
  using M = I64;
  using I = int64_t;
};
template <class T>
using Vec = typename Simd<T>::V;
template <class T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

template <class T>
PLUMB_INLINE Vec<T> splat(T x) {
  return x - Vec<T>{};
}  // x - 0 keeps -0

template <class V>
PLUMB_INLINE V all(double x) {
  return splat(static_cast<decltype(V{}[0] + V{}[0])>(x));
}  // a constant of either type

template <class T>
PLUMB_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
PLUMB_INLINE void store(T* p, Vec<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// Part of a vector: n < lanes elements, the others zero.
template <class T>
PLUMB_INLINE Vec<T> load_part(const T* p, int64_t n) {
  T buffer[lanes<T>] = {};
  for (int64_t i = 0; i < n; ++i) buffer[i] = p[i];
  return load(buffer);
}
template <class T>
PLUMB_INLINE void store_part(T* p, Vec<T> v, int64_t n) {
  T buffer[lanes<T>];
  store(buffer, v);
  for (int64_t i = 0; i < n; ++i) p[i] = buffer[i];
}

PLUMB_INLINE I32 bits(F32 x) { return (I32)x; }
PLUMB_INLINE I64 bits(F64 x) { return (I64)x; }
PLUMB_INLINE F32 from_bits(I32 x) { return (F32)x; }
PLUMB_INLINE F64 from_bits(I64 x) { return (F64)x; }
PLUMB_INLINE F32 abs(F32 x) { return from_bits(bits(x) & 0x7fffffff); }
PLUMB_INLINE F64 abs(F64 x) { return from_bits(bits(x) & 0x7fffffffffffffff); }
PLUMB_INLINE F32 copy_sign(F32 x, F32 sign) { return from_bits((bits(x) & 0x7fffffff) | (bits(sign) & ~0x7fffffff)); }

// (The maskz forms of AVX-512: GCC 12 warns of an uninitialised value inside its own plain ones.)
// Per instruction set: fma (see isa.h), at_most and at_least (NaN stays), sqrt, floor, round (ties to even),
// products of the lower 32 bits of 64-bit lanes, and SLEEF's deterministic functions.
#if defined(PLUMB_ISA_avx512)
PLUMB_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
PLUMB_INLINE F64 fma(F64 a, F64 b, F64 c) { return _mm512_fmadd_pd(a, b, c); }
PLUMB_INLINE F32 at_most(F32 x, float bound) { return _mm512_maskz_min_ps(-1, splat(bound), x); }
PLUMB_INLINE F32 at_least(F32 x, float bound) { return _mm512_maskz_max_ps(-1, splat(bound), x); }
PLUMB_INLINE F32 sqrt(F32 x) { return _mm512_maskz_sqrt_ps(-1, x); }
PLUMB_INLINE F64 sqrt(F64 x) { return _mm512_maskz_sqrt_pd(-1, x); }
PLUMB_INLINE F32 floor(F32 x) { return _mm512_maskz_roundscale_ps(-1, x, _MM_FROUND_TO_NEG_INF); }
PLUMB_INLINE F64 floor(F64 x) { return _mm512_maskz_roundscale_pd(-1, x, _MM_FROUND_TO_NEG_INF); }
PLUMB_INLINE F32 round(F32 x) { return _mm512_maskz_roundscale_ps(-1, x, _MM_FROUND_TO_NEAREST_INT); }
PLUMB_INLINE F64 round(F64 x) { return _mm512_maskz_roundscale_pd(-1, x, _MM_FROUND_TO_NEAREST_INT); }
PLUMB_INLINE I64 multiply_low_halves(I64 a, I64 b) { return (I64)_mm512_maskz_mul_epu32(-1, (__m512i)a, (__m512i)b); }
#define PLUMB_SLEEF_F32(name, ulp) Sleef_finz_##name##f16_##ulp##avx512f
#define PLUMB_SLEEF_F64(name, ulp) Sleef_finz_##name##d8_##ulp##avx512f
#elif defined(PLUMB_ISA_avx2)
PLUMB_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
PLUMB_INLINE F64 fma(F64 a, F64 b, F64 c) { return _mm256_fmadd_pd(a, b, c); }
PLUMB_INLINE F32 at_most(F32 x, float bound) { return _mm256_min_ps(splat(bound), x); }
PLUMB_INLINE F32 at_least(F32 x, float bound) { return _mm256_max_ps(splat(bound), x); }
PLUMB_INLINE F32 sqrt(F32 x) { return _mm256_sqrt_ps(x); }
PLUMB_INLINE F64 sqrt(F64 x) { return _mm256_sqrt_pd(x); }
PLUMB_INLINE F32 floor(F32 x) { return _mm256_floor_ps(x); }
PLUMB_INLINE F64 floor(F64 x) { return _mm256_floor_pd(x); }
PLUMB_INLINE F32 round(F32 x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT); }
PLUMB_INLINE F64 round(F64 x) { return _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT); }
PLUMB_INLINE I64 multiply_low_halves(I64 a, I64 b) { return (I64)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
#define PLUMB_SLEEF_F32(name, ulp) Sleef_finz_##name##f8_##ulp##avx2
#define PLUMB_SLEEF_F64(name, ulp) Sleef_finz_##name##d4_##ulp##avx2
#else
PLUMB_INLINE F32 fma(F32 a, F32 b, F32 c) { return a * b + c; }
PLUMB_INLINE F64 fma(F64 a, F64 b, F64 c) { return a * b + c; }
PLUMB_INLINE F32 at_most(F32 x, float bound) { return _mm_min_ps(splat(bound), x); }
PLUMB_INLINE F32 at_least(F32 x, float bound) { return _mm_max_ps(splat(bound), x); }
PLUMB_INLINE F32 sqrt(F32 x) { return _mm_sqrt_ps(x); }
PLUMB_INLINE F64 sqrt(F64 x) { return _mm_sqrt_pd(x); }
PLUMB_INLINE F32 floor(F32 x) { return Sleef_cinz_floorf4_sse2(x); }
PLUMB_INLINE F64 floor(F64 x) { return Sleef_cinz_floord2_sse2(x); }
PLUMB_INLINE F32 round(F32 x) { return Sleef_cinz_rintf4_sse2(x); }
PLUMB_INLINE F64 round(F64 x) { return Sleef_cinz_rintd2_sse2(x); }
PLUMB_INLINE I64 multiply_low_halves(I64 a, I64 b) { return (I64)_mm_mul_epu32((__m128i)a, (__m128i)b); }
#define PLUMB_SLEEF_F32(name, ulp) Sleef_cinz_##name##f4_##ulp##sse2
#define PLUMB_SLEEF_F64(name, ulp) Sleef_cinz_##name##d2_##ulp##sse2
#endif

#define PLUMB_SLEEF_UNARY(name, ulp) \
  PLUMB_INLINE F32 sleef_##name(F32 x) { return PLUMB_SLEEF_F32(name, ulp)(x); } \
  PLUMB_INLINE F64 sleef_##name(F64 x) { return PLUMB_SLEEF_F64(name, ulp)(x); }
#define PLUMB_SLEEF_BINARY(name, ulp) \
  PLUMB_INLINE F32 sleef_##name(F32 x, F32 y) { return PLUMB_SLEEF_F32(name, ulp)(x, y); } \
  PLUMB_INLINE F64 sleef_##name(F64 x, F64 y) { return PLUMB_SLEEF_F64(name, ulp)(x, y); }
PLUMB_SLEEF_UNARY(exp, u10)
PLUMB_SLEEF_UNARY(expm1, u10)
PLUMB_SLEEF_UNARY(log, u10)
PLUMB_SLEEF_UNARY(log1p, u10)
PLUMB_SLEEF_UNARY(sin, u10)
PLUMB_SLEEF_UNARY(cos, u10)
PLUMB_SLEEF_UNARY(tanh, u10)
PLUMB_SLEEF_UNARY(erf, u10)
PLUMB_SLEEF_UNARY(erfc, u15)
PLUMB_SLEEF_BINARY(pow, u10)
PLUMB_SLEEF_BINARY(atan2, u10)

}  // namespace plumb::cpu::PLUMB_ISA_NS
