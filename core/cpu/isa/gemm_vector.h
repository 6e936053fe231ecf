// Vectors for the products: load, store (whole or the first n lanes), broadcast, fma, transpose, widening of bf16.
#pragma once

#include <immintrin.h>

#include "core/cpu/isa/isa.h"

#define PLUMB_INLINE static inline __attribute__((always_inline))

namespace plumb::cpu::PLUMB_ISA_NS {

typedef float F32 __attribute__((vector_size(vector_bytes)));
typedef double F64 __attribute__((vector_size(vector_bytes)));
typedef int32_t I32 __attribute__((vector_size(vector_bytes)));
typedef uint32_t U32 __attribute__((vector_size(vector_bytes)));
typedef int64_t I64 __attribute__((vector_size(vector_bytes)));
typedef uint16_t U16Half __attribute__((vector_size(vector_bytes / 2)));

template <class T>
struct VecOf;
template <>
struct VecOf<float> {
  using Type = F32;
  using Index = I32;
};
template <>
struct VecOf<double> {
  using Type = F64;
  using Index = I64;
};
template <>
struct VecOf<uint32_t> {  // two bf16, the earlier k in the lower half
  using Type = U32;
  using Index = I32;
};
template <class T>
using Vec = typename VecOf<T>::Type;
template <class T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

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

#if defined(PLUMB_ISA_avx512)
PLUMB_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
PLUMB_INLINE F64 fma(F64 a, F64 b, F64 c) { return _mm512_fmadd_pd(a, b, c); }
PLUMB_INLINE F32 broadcast(float x) { return _mm512_set1_ps(x); }
PLUMB_INLINE F64 broadcast(double x) { return _mm512_set1_pd(x); }
PLUMB_INLINE unsigned first_mask(int n) { return (1u << n) - 1; }
PLUMB_INLINE F32 load_first(const float* p, int n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>(first_mask(n)), p);
}
PLUMB_INLINE F64 load_first(const double* p, int n) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>(first_mask(n)), p);
}
PLUMB_INLINE void store_first(float* p, F32 v, int n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>(first_mask(n)), v);
}
PLUMB_INLINE void store_first(double* p, F64 v, int n) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>(first_mask(n)), v);
}
#elif defined(PLUMB_ISA_avx2)
PLUMB_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
PLUMB_INLINE F64 fma(F64 a, F64 b, F64 c) { return _mm256_fmadd_pd(a, b, c); }
PLUMB_INLINE F32 broadcast(float x) { return _mm256_set1_ps(x); }
PLUMB_INLINE F64 broadcast(double x) { return _mm256_set1_pd(x); }
PLUMB_INLINE __m256i first_mask32(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
PLUMB_INLINE __m256i first_mask64(int n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
PLUMB_INLINE F32 load_first(const float* p, int n) { return _mm256_maskload_ps(p, first_mask32(n)); }
PLUMB_INLINE F64 load_first(const double* p, int n) { return _mm256_maskload_pd(p, first_mask64(n)); }
PLUMB_INLINE void store_first(float* p, F32 v, int n) { _mm256_maskstore_ps(p, first_mask32(n), v); }
PLUMB_INLINE void store_first(double* p, F64 v, int n) { _mm256_maskstore_pd(p, first_mask64(n), v); }
#else
PLUMB_INLINE F32 fma(F32 a, F32 b, F32 c) { return a * b + c; }
PLUMB_INLINE F64 fma(F64 a, F64 b, F64 c) { return a * b + c; }
PLUMB_INLINE F32 broadcast(float x) { return _mm_set1_ps(x); }
PLUMB_INLINE F64 broadcast(double x) { return _mm_set1_pd(x); }
template <class T>
PLUMB_INLINE Vec<T> load_first(const T* p, int n) {
  Vec<T> v = {};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
template <class T, class V>
PLUMB_INLINE void store_first(T* p, V v, int n) {
  for (int i = 0; i < n; ++i) p[i] = v[i];
}
#endif

PLUMB_INLINE U32 broadcast(uint32_t x) { return reinterpret_cast<U32>(broadcast(__builtin_bit_cast(float, x))); }

// n lanes of source type S as lanes of T; bf16 is the upper half of an f32.
PLUMB_INLINE F32 load_as(const float* p, int n, float) { return n == lanes<float> ? load(p) : load_first(p, n); }
PLUMB_INLINE F64 load_as(const double* p, int n, double) { return n == lanes<double> ? load(p) : load_first(p, n); }
PLUMB_INLINE U32 load_u16(const uint16_t* p, int n) {
  U16Half half = {};
  if (n == lanes<float>) {
    __builtin_memcpy(&half, p, sizeof half);
  } else {
#if defined(PLUMB_ISA_avx512)
    half = reinterpret_cast<U16Half>(_mm256_maskz_loadu_epi16(static_cast<__mmask16>(first_mask(n)), p));
#else
    for (int i = 0; i < n; ++i) half[i] = p[i];
#endif
  }
  return __builtin_convertvector(half, U32);
}
PLUMB_INLINE F32 load_as(const uint16_t* p, int n, float) { return reinterpret_cast<F32>(load_u16(p, n) << 16); }

// Pairs of neighbours; the bits pass through f32 lanes untouched.
PLUMB_INLINE U32 load_as(const uint16_t* p, int n, uint32_t) {
  if (n < lanes<float>) return reinterpret_cast<U32>(load_first(reinterpret_cast<const float*>(p), n));
  U32 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

PLUMB_INLINE float element_as(float x, float) { return x; }
PLUMB_INLINE double element_as(double x, double) { return x; }
PLUMB_INLINE float element_as(uint16_t x, float) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float f;
  __builtin_memcpy(&f, &bits, sizeof f);
  return f;
}

// One round of an in-register transpose: swaps the off-diagonal h x h blocks of every 2h x 2h block. The lanes to take
// are constants of the type: the compiler turns only such shuffles into single instructions.
template <int... l>
struct LaneNumbers {};
template <class T, int h, int... l>
PLUMB_INLINE void swap_blocks(Vec<T> (&rows)[lanes<T>], LaneNumbers<l...>) {
  using Index = typename VecOf<T>::Index;
  constexpr int n = lanes<T>;
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) {
    if (i & h) continue;
    const Vec<T> x = rows[i], y = rows[i + h];
    rows[i] = __builtin_shuffle(x, y, Index{((l & h) ? n + l - h : l)...});
    rows[i + h] = __builtin_shuffle(x, y, Index{((l & h) ? n + l : l + h)...});
  }
}
template <class T>
PLUMB_INLINE void transpose(Vec<T> (&rows)[lanes<T>]) {
  constexpr LaneNumbers<__integer_pack(lanes<T>)...> all;
  if constexpr (lanes<T> >= 16) swap_blocks<T, 8>(rows, all);
  if constexpr (lanes<T> >= 8) swap_blocks<T, 4>(rows, all);
  if constexpr (lanes<T> >= 4) swap_blocks<T, 2>(rows, all);
  swap_blocks<T, 1>(rows, all);
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
