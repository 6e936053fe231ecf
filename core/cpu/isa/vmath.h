// Elementary functions on vectors: exact at 0, infinities and NaN, within 2 ulp (f32), equal bits in every lane.
// f32 has its own exp and tanh (several times the speed of SLEEF's); the rest is SLEEF's.
#pragma once

#include "core/cpu/isa/simd.h"

namespace plumb::cpu::PLUMB_ISA_NS {

PLUMB_INLINE F64 at_most(F64 x, double bound) { return x > bound ? splat(bound) : x; }
PLUMB_INLINE F64 at_least(F64 x, double bound) { return x < bound ? splat(bound) : x; }

// e^(x + rest) = (1 + r + curve r^2) 2^k, for |rest| far below |x|.
struct ExpParts {
  F32 r, square, curve;
  F32 shifted;  // k + exp_shift: the integer stands in the low bits
};
constexpr float exp_shift = 12582912.0f;  // 1.5 * 2^23
constexpr F32 no_rest = F32{} - 0.0f;     // -0: adding it changes nothing, and the compiler knows
PLUMB_INLINE ExpParts exp_parts(F32 x, F32 rest = no_rest) {
  x = at_least(at_most(x, 150.0f), -150.0f);
  const F32 shifted = fma(x, splat(1.44269504f), splat(exp_shift)), k = shifted - exp_shift;
  F32 r = fma(k, splat(-0.693359375f), x);  // ln 2 in two parts, the first short: k times it is exact
  r = fma(k, splat(2.12194440e-4f), r) + rest;
  F32 p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  return {r, r * r, p, shifted};
}
// x 2^k, rounded once where it is denormal or overflows.
PLUMB_INLINE F32 scale(F32 x, F32 shifted) {
#if defined(PLUMB_ISA_avx512)
  return _mm512_maskz_scalef_ps(-1, x, shifted - exp_shift);
#else
  const I32 n = bits(shifted) - bits(splat(exp_shift)), half = n >> 1;
  return x * from_bits((half + 127) << 23) * from_bits((n - half + 127) << 23);
#endif
}
PLUMB_INLINE F32 rounded(const ExpParts& e) {
  const F32 head = e.r + 1.0f;
  return head + fma(e.curve, e.square, e.r - (head - 1.0f));  // r enters the sum unrounded
}
PLUMB_INLINE F32 exp(F32 x) {
  const ExpParts e = exp_parts(x);
  return scale(rounded(e), e.shifted);
}
// x e^y, with one rounding less than the product of the two, and no denormal before the end.
PLUMB_INLINE F32 times_exp(F32 x, const ExpParts& y) {
  return scale(fma(x, fma(y.curve, y.square, y.r), x), y.shifted);
}
PLUMB_INLINE F64 exp(F64 x) { return sleef_exp(x); }

// A polynomial below 0.625, 1 - 2 / (e^2|x| + 1) above.
PLUMB_INLINE F32 tanh(F32 x) {
  const F32 t = abs(x), s = x * x;
  F32 p = splat(-5.70498872745e-3f);
  p = fma(p, s, splat(2.06390887954e-2f));
  p = fma(p, s, splat(-5.37397155531e-2f));
  p = fma(p, s, splat(1.33314422036e-1f));
  p = fma(p, s, splat(-3.33332819422e-1f));
  const F32 small = fma(p, s * x, x), large = 1.0f - 2.0f / (exp(t + t) + 1.0f);
  return copy_sign(t > 0.625f ? large : small, x);  // of -0 too
}
PLUMB_INLINE F64 tanh(F64 x) { return sleef_tanh(x); }

template <class V>
PLUMB_INLINE V log(V x) {
  return sleef_log(x);
}
template <class V>
PLUMB_INLINE V log1p(V x) {  // for x <= 1e30; log1p_any has no limit
  return sleef_log1p(x);
}
template <class V>
PLUMB_INLINE V log1p_any(V x) {  // SLEEF's is infinite near the end of the range
  return x > all<V>(1e30) ? log(x) : log1p(x);
}
template <class V>
PLUMB_INLINE V expm1(V x) {
  return sleef_expm1(x);
}

template <class V>
PLUMB_INLINE V relu(V x) {
  return x <= 0 ? V{} : x;
}  // NaN stays

// e^-|x| never overflows. On the small side e - e e / (1 + e) shrinks the rounding of 1 + e, which e / (1 + e) keeps.
template <class V>
PLUMB_INLINE V sigmoid(V x) {
  const V e = exp(-abs(x)), y = (x < 0 ? e : all<V>(1)) / (e + 1);
  return x < 0 ? e - e * y : y;
}
template <class V>
PLUMB_INLINE V softplus(V x) {
  return relu(x) + log1p(exp(-abs(x)));
}
template <class V>
PLUMB_INLINE V log_sigmoid(V x) {
  return -softplus(-x);
}

// log(1 - e^x) for x <= 0, by whichever of the two forms does not cancel.
template <class V>
PLUMB_INLINE V log1m_exp(V x) {
  return x > all<V>(-0.69314718055994531) ? log(-expm1(x)) : log1p(-exp(x));
}
// Where e^gap is near 1, log(1 + e) is ln 2 + log(1 + (e - 1) / 2), whose second term is small, and so is its error.
template <class V>
PLUMB_INLINE V log_add_exp(V a, V b) {
  const V high = a > b ? a : b, gap = a == b ? V{} : -abs(a - b), e = exp(gap);  // equal infinities included
  const auto near = e > 0.5;
  const V rest = log1p(near ? (e - 1) * 0.5 : e), ln2 = all<V>(0.69314718055994531);
  return near ? high + (rest + all<V>(sizeof a[0] == 4 ? -1.9046542e-9 : 2.3190468e-17)) + ln2 : high + rest;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
