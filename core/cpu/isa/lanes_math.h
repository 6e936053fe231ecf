// exp, log and tanh of lanes: exp by an own polynomial (inlined into the row loops), the others by SLEEF's variants
// whose bits depend on nothing but the presence of FMA.
#pragma once

#include <sleef.h>

#include "core/cpu/isa/lanes.h"

namespace plumb::cpu::PLUMB_ISA_NS {

#if defined(PLUMB_ISA_avx512)
PLUMB_INLINE __m512 fma_native(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
PLUMB_INLINE __m512d fma_native(__m512d a, __m512d b, __m512d c) { return _mm512_fmadd_pd(a, b, c); }
PLUMB_INLINE __m512 tanh_native(__m512 x) { return Sleef_finz_tanhf16_u10avx512f(x); }
PLUMB_INLINE __m512d tanh_native(__m512d x) { return Sleef_finz_tanhd8_u10avx512f(x); }
PLUMB_INLINE __m512 log_native(__m512 x) { return Sleef_finz_logf16_u10avx512f(x); }
PLUMB_INLINE __m512d log_native(__m512d x) { return Sleef_finz_logd8_u10avx512f(x); }
#elif defined(PLUMB_ISA_avx2)
PLUMB_INLINE __m256 fma_native(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
PLUMB_INLINE __m256d fma_native(__m256d a, __m256d b, __m256d c) { return _mm256_fmadd_pd(a, b, c); }
PLUMB_INLINE __m256 tanh_native(__m256 x) { return Sleef_finz_tanhf8_u10avx2(x); }
PLUMB_INLINE __m256d tanh_native(__m256d x) { return Sleef_finz_tanhd4_u10avx2(x); }
PLUMB_INLINE __m256 log_native(__m256 x) { return Sleef_finz_logf8_u10avx2(x); }
PLUMB_INLINE __m256d log_native(__m256d x) { return Sleef_finz_logd4_u10avx2(x); }
#else
PLUMB_INLINE __m128 fma_native(__m128 a, __m128 b, __m128 c) { return a * b + c; }
PLUMB_INLINE __m128d fma_native(__m128d a, __m128d b, __m128d c) { return a * b + c; }
PLUMB_INLINE __m128 tanh_native(__m128 x) { return Sleef_cinz_tanhf4_u10sse2(x); }
PLUMB_INLINE __m128d tanh_native(__m128d x) { return Sleef_cinz_tanhd2_u10sse2(x); }
PLUMB_INLINE __m128 log_native(__m128 x) { return Sleef_cinz_logf4_u10sse2(x); }
PLUMB_INLINE __m128d log_native(__m128d x) { return Sleef_cinz_logd2_u10sse2(x); }
#endif

template <class T>
PLUMB_INLINE Lanes<T> fma(const Lanes<T>& a, const Lanes<T>& b, const Lanes<T>& c) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = fma_native(a.v[i], b.v[i], c.v[i]);
  return r;
}
template <class T>
PLUMB_INLINE Lanes<T> tanh(const Lanes<T>& x) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = tanh_native(x.v[i]);
  return r;
}
template <class T>
PLUMB_INLINE Lanes<T> log(const Lanes<T>& x) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = log_native(x.v[i]);
  return r;
}
template <class T>
PLUMB_INLINE T log(T x) {
  return first(log(splat(x)), 1).v[0][0];
}

// What exp needs to know of a type: e^x = 2^n e^r with r = x - n ln 2, |r| <= ln(2) / 2.
template <class T>
struct ExpOf;
template <>
struct ExpOf<float> {
  static constexpr float low = -104, high = 89;  // 0 and infinity beyond
  static constexpr float log2_e = 0x1.715476p+0f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float to_integer = 0x1.8p+23f;  // added and taken away: rounds; its low bits are the integer
  static constexpr int mantissa = 23, terms = 8;
};
template <>
struct ExpOf<double> {
  static constexpr double low = -746, high = 710;
  static constexpr double log2_e = 0x1.71547652b82fep+0, ln2_high = 0.69314718055966295651160180568695068359375,
                          ln2_low = 0.28235290563031577122588448175013436025525412068e-12;
  static constexpr double to_integer = 0x1.8p+52;
  static constexpr int mantissa = 52, terms = 14;
};
constexpr double inverse_factorial[14] = {1.,        1.,         1. / 2,      1. / 6,       1. / 24,       1. / 120,       1. / 720,
                                          1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800};

// 2^n for integers |n| below half the exponent range; n holds `to_integer + n`.
template <class T>
PLUMB_INLINE Lanes<T> power_of_two(const Lanes<T>& n) {
  using Int = typename Native<T>::Int;
  constexpr T one = 1;
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i)
    r.v[i] = (typename Lanes<T>::Vector)(((Int)n.v[i] << ExpOf<T>::mantissa) + (Int)(one - typename Lanes<T>::Vector{}));
  return r;
}

// Within 1.1 ulp; NaN stays NaN. The power of two comes in two halves, so that denormal results round once.
template <class T>
PLUMB_INLINE Lanes<T> exp(const Lanes<T>& x) {
  using E = ExpOf<T>;
  const auto magic = splat(E::to_integer);
  const auto y = max(splat(E::low), min(splat(E::high), x));
  const auto n = fma(y, splat(E::log2_e), magic) - magic;
  const auto r = fma(n, splat(-E::ln2_low), fma(n, splat(-E::ln2_high), y));
  auto p = splat((T)inverse_factorial[E::terms - 1]);
  for (int i = E::terms - 2; i >= 0; --i) p = fma(p, r, splat((T)inverse_factorial[i]));
  const auto half = fma(n, splat((T)0.5), magic);
  const auto rest = n - (half - magic);
  return p * power_of_two(half) * power_of_two(rest + magic);
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
