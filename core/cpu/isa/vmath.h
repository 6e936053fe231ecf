// Elementary functions on vectors: exact at 0, infinities and NaN, within 2 ulp (f32), equal bits in every lane.
// f32 has its own exp, tanh and normal distribution function (several times the speed of SLEEF's); the rest is SLEEF's.
#pragma once

#include "core/cpu/isa/simd.h"

namespace plumb::cpu::PLUMB_ISA_NS {

// e^(x + y) for |y| far below |x|: the small part is added after the argument reduction.
PLUMB_INLINE F32 exp_of_sum(F32 x, F32 y) {
  x = x > 100.0f ? splat(100.0f) : x;
  x = x < -150.0f ? splat(-150.0f) : x;
  const F32 shift = splat(12582912.0f);  // 1.5 * 2^23: rounds to an integer, which then stands in the low bits
  const F32 t = fma(x, splat(1.44269504f), shift);
  const F32 k = t - shift;
  F32 r = fma(k, splat(-0.693359375f), x);  // ln 2 in two parts, the first short: k times it is exact
  r = fma(k, splat(2.12194440e-4f), r) + y;
  F32 p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  const F32 head = r + 1.0f;
  p = head + fma(p, r * r, r - (head - 1.0f));  // r enters the sum unrounded
#if defined(PLUMB_ISA_avx512)
  return _mm512_maskz_scalef_ps(-1, p, k);
#else
  const I32 n = bits(t) - bits(shift), half = n >> 1;  // 2^n in two steps, so that denormals and overflow round once
  return p * from_bits((half + 127) << 23) * from_bits((n - half + 127) << 23);
#endif
}
PLUMB_INLINE F32 exp(F32 x) { return exp_of_sum(x, splat(0.0f)); }
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
template <class V>
PLUMB_INLINE V log_add_exp(V a, V b) {
  const V high = a > b ? a : b, gap = a == b ? V{} : -abs(a - b);  // equal infinities included
  return high + log1p(exp(gap));
}

// x sigmoid(x); the product is 0, not NaN, at minus infinity.
template <class V>
PLUMB_INLINE V silu(V x) {
  const V e = exp(-abs(x));
  return (x < 0 ? (x < -1000 ? V{} : x) * e : x) / (e + 1);
}
template <class V>
PLUMB_INLINE V silu_slope(V x) {
  const V e = exp(-abs(x)), d = 1 / (e + 1), s = x < 0 ? e * d : d, rest = x < 0 ? d : e * d;
  return s + (abs(x) > 1000 ? V{} : x) * s * rest;
}

// The normal distribution at t = |x|, clamped to 20: e^(-t^2/2), and tail = P(Z > t) / e^(-t^2/2).
struct NormalTail {
  F32 t, density, ratio;
};
PLUMB_INLINE NormalTail normal_tail(F32 x) {
  F32 t = abs(x);
  t = t > 20.0f ? splat(20.0f) : t;
  const F32 square = t * t;
#if defined(__FMA__)
  const F32 rest = fma(t, t, -square);
#else
  const F32 head = from_bits(bits(t) & ~0xfff), rest = (head * head - square) + (t - head) * (t + head);
#endif
  // The ratio as a quotient of polynomials with positive coefficients: within 6e-9, and nothing cancels.
  F32 p = splat(0.00412384f);
  p = fma(p, t, splat(0.040683858f));
  p = fma(p, t, splat(0.18338516f));
  p = fma(p, t, splat(0.4384972f));
  p = fma(p, t, splat(0.5f));
  F32 q = splat(0.010336816f);
  q = fma(q, t, splat(0.10198569f));
  q = fma(q, t, splat(0.46986675f));
  q = fma(q, t, splat(1.203126f));
  q = fma(q, t, splat(1.6748794f));
  q = fma(q, t, splat(1.0f));
  return {t, exp_of_sum(square * -0.5f, rest * -0.5f), p / q};
}

// x P(Z < x), from the upper tail so that nothing cancels.
PLUMB_INLINE F32 gelu(F32 x) {
  const NormalTail n = normal_tail(x);
  return relu(x) - n.t * n.ratio * n.density;  // in this order: the density may be denormal
}
PLUMB_INLINE F32 gelu_slope(F32 x) {
  const NormalTail n = normal_tail(x);
  const F32 s = n.density * fma(n.t, splat(0.3989422804f), -n.ratio);
  return x < 0 ? -s : 1.0f + s;
}
PLUMB_INLINE F64 gelu(F64 x) {
  const F64 c = x < -40 ? F64{} - 40 : x;
  return 0.5 * c * sleef_erfc(c * -0.70710678118654752);
}
PLUMB_INLINE F64 gelu_slope(F64 x) {
  const F64 c = abs(x) > 40 ? (x < 0 ? F64{} - 40 : F64{} + 40) : x;
  return 0.5 * sleef_erfc(c * -0.70710678118654752) + c * 0.39894228040143268 * exp(c * c * -0.5);
}

// The tanh form, as x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
template <class V>
PLUMB_INLINE V gelu_tanh(V x) {
  const V c = abs(x) > 100 ? (x < 0 ? all<V>(-100) : all<V>(100)) : x;
  const V u2 = c * all<V>(1.5957691216057308) * (1 + all<V>(0.044715) * c * c), e = exp(-abs(u2));
  return (c < 0 ? c * e : x) / (e + 1);
}
template <class V>
PLUMB_INLINE V gelu_tanh_slope(V x) {
  const V c = abs(x) > 100 ? (x < 0 ? all<V>(-100) : all<V>(100)) : x;
  const V u2 = c * all<V>(1.5957691216057308) * (1 + all<V>(0.044715) * c * c), e = exp(-abs(u2)), d = 1 / (e + 1);
  const V s = c < 0 ? e * d : d, rest = c < 0 ? d : e * d;
  return s + c * s * rest * (all<V>(1.5957691216057308) * (1 + all<V>(0.134145) * c * c));
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
