// Activations and their slopes, from the elementary functions of vmath.h: within 3 ulp (f32), gelu within 3.5. Products with an
// exponential multiply its error: theirs are taken before it is rounded, and of arguments that carry what rounding them lost.
#pragma once

#include "core/cpu/isa/vmath.h"

namespace plumb::cpu::PLUMB_ISA_NS {

// x / (1 + e^(z + rest)), where z goes to infinity as x goes to minus infinity, and the reverse: 0 and x there. Both terms
// below the line are scaled, so that neither e^z overflows nor e^-z is denormal before x multiplies it.
PLUMB_INLINE F32 over_one_plus_exp(F32 x, F32 z, F32 rest = no_rest) {
  constexpr float small = 0x1p-32f;
  const ExpParts e = exp_parts(z, rest);
  const F32 y = at_least(x, -1000.0f) / (scale(rounded(e), e.shifted - 32.0f) + small) * small;
  return z < -100.0f ? x : y;
}
PLUMB_INLINE F64 over_one_plus_exp(F64 x, F64 z, F64 rest = F64{}) {
  const I64 tiny = z > 600;
  z = at_most(z, 760);
  const F64 e = exp(tiny ? z - 64 : z), y = at_least(x, -1000) / (fma(e, rest, e) + 1);
  return tiny ? y * 0x1.969d47321e4ccp-93 : y;  // e^-64
}

// x sigmoid(x)
template <class V>
PLUMB_INLINE V silu(V x) {
  return over_one_plus_exp(x, -x);
}
template <class V>
PLUMB_INLINE V silu_slope(V x) {
  const V e = exp(-abs(x)), d = 1 / (e + 1), s = x < 0 ? e * d : d, rest = x < 0 ? d : e * d;
  return s + (abs(x) > 1000 ? V{} : x) * s * rest;
}

// What a b loses when it is rounded to p. Without fused products from halves, whose products are exact.
#if defined(__FMA__)
template <class V>
PLUMB_INLINE V product_rest(V a, V b, V p) {
  return fma(a, b, -p);
}
#else
PLUMB_INLINE F32 upper_half(F32 x) { return from_bits(bits(x) & ~0xfff); }
PLUMB_INLINE F64 upper_half(F64 x) { return from_bits(bits(x) & ~0x7ffffff); }
template <class V>
PLUMB_INLINE V product_rest(V a, V b, V p) {
  const V a1 = upper_half(a), a2 = a - a1, b1 = upper_half(b), b2 = b - b1;
  return ((a1 * b1 - p) + (a1 * b2 + a2 * b1)) + a2 * b2;
}
#endif

// The normal distribution at t = |x|, clamped to 20. P(Z > t) / e^(-t^2/2) = d / (1 + sqrt(2 pi) t d + n t), d = 1/2 + d1 t,
// with d1 and n polynomials. Their coefficients are positive: nothing cancels; and the error of d leaves the quotient as t grows.
struct NormalTail {
  F32 t, square, d1, n;
  ExpParts density;  // e^(-t^2/2)
};
constexpr float root_2pi = 2.50662827f;
PLUMB_INLINE NormalTail normal_tail(F32 x) {
  const F32 t = at_most(abs(x), 20.0f), square = t * t;
  F32 d1 = splat(0.0051793084f);
  d1 = fma(d1, t, splat(0.047769815f));
  d1 = fma(d1, t, splat(0.20429112f));
  d1 = fma(d1, t, splat(0.46641591f));
  F32 n = splat(0.012964627f);
  n = fma(n, t, splat(0.12035418f));
  n = fma(n, t, splat(0.47740293f));
  return {t, square, d1, n, exp_parts(square * -0.5f, product_rest(t, t, square) * -0.5f)};
}

// x P(Z < x), from the upper tail so that nothing cancels.
PLUMB_INLINE F32 gelu(F32 x) {
  const NormalTail z = normal_tail(x);
  const F32 td = fma(z.d1, z.square, 0.5f * z.t), ratio = td / (fma(td, splat(root_2pi), z.n * z.t) + 1.0f);
  return relu(x) - times_exp(ratio, z.density);
}
PLUMB_INLINE F32 gelu_slope(F32 x) {
  const NormalTail z = normal_tail(x);
  const F32 d = fma(z.d1, z.t, splat(0.5f)), ratio = d / fma(fma(d, splat(root_2pi), z.n), z.t, splat(1.0f));
  const F32 s = times_exp(fma(z.t, splat(0.3989422804f), -ratio), z.density);
  return x < 0 ? -s : 1.0f + s;
}
PLUMB_INLINE F64 gelu(F64 x) {
  const F64 c = at_least(at_most(x, 40), -40);
  const F64 root = all<F64>(-0.70710678118654752), root_rest = all<F64>(4.833646656726457e-17);
  const F64 z = c * root, rest = fma(c, root_rest, product_rest(c, root, z)), y = 0.5 * c * sleef_erfc(z);
  // erfc(z + rest) is erfc(z) (1 - rest slope), and its slope about this, within 5 %
  const F64 slope = z + sqrt(fma(z, z, all<F64>(1.2732395447351628)));
  return x > 40 ? x : y - y * rest * slope;
}
PLUMB_INLINE F64 gelu_slope(F64 x) {
  const F64 c = abs(x) > 40 ? (x < 0 ? F64{} - 40 : F64{} + 40) : x;
  return 0.5 * sleef_erfc(c * -0.70710678118654752) + c * 0.39894228040143268 * exp(c * c * -0.5);
}

// The tanh form, as x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3). An error of u multiplies e^-2u: it is carried along.
template <class V>
PLUMB_INLINE V gelu_tanh(V x) {
  constexpr bool single = sizeof x[0] == 4;
  const V c = at_least(at_most(x, 100), -100), square = c * c;
  const V k1 = all<V>(single ? -0x1.98845p0 : -0x1.9884533d4366p0);  // of c; short, so that k1 - k is exact
  const V k3 = all<V>(-0.071354816272600249);                        // of c^3
  const V k1_rest = all<V>(single ? -1.930778987e-7 : 3.430362e-15), k3_rest = all<V>(single ? -2.398832e-9 : 0);
  const V k = fma(k3, square, k1), k_rest = fma(k3, square, k1 - k) + fma(k3_rest, square, k1_rest), u2 = c * k;
  return over_one_plus_exp(x > 100 ? x : c, u2, fma(c, k_rest, product_rest(c, k, u2)));
}
template <class V>
PLUMB_INLINE V gelu_tanh_slope(V x) {
  const V c = abs(x) > 100 ? (x < 0 ? all<V>(-100) : all<V>(100)) : x;
  const V u2 = c * all<V>(1.5957691216057308) * (1 + all<V>(0.044715) * c * c), e = exp(-abs(u2)), d = 1 / (e + 1);
  const V s = c < 0 ? e * d : d, rest = c < 0 ? d : e * d;
  return s + c * s * rest * (all<V>(1.5957691216057308) * (1 + all<V>(0.134145) * c * c));
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
