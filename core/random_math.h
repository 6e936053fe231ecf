// From a position to a random number, the same bits on every CPU and GPU: Philox4x32-10, then only + * / sqrt and fma
// in the order written (no product is left for a compiler to fuse with a sum).
//
// Draw i of a stream, a pure function of (key, i):
//   32-bit kinds (f32, bf16, i32): word i % 4 of the block with counter i / 4.
//   64-bit kinds (f64, i64): words 2 (i % 2), the low one, and 2 (i % 2) + 1 of the block with counter i / 2.
// The counter's upper half is zero for tensors; Key::below uses it for further attempts.
#pragma once

#include <stdint.h>

#if defined(__CUDACC__)
#define PLUMB_SHARED static inline __host__ __device__
#else
#define PLUMB_SHARED static inline  // internal linkage: each instruction set keeps its own copy
#endif

namespace plumb::random_math {

struct Words {
  uint32_t w[4];
};

PLUMB_SHARED Words philox(uint64_t key, uint64_t counter, uint64_t counter_high = 0) {
  uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = (uint32_t)counter_high,
           c3 = (uint32_t)(counter_high >> 32);
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p = 0xD2511F53ull * c0, q = 0xCD9E8D57ull * c2;
    c0 = (uint32_t)(q >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)q;
    c2 = (uint32_t)(p >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

PLUMB_SHARED uint32_t bits32(uint64_t key, uint64_t i) { return philox(key, i >> 2).w[i & 3]; }
PLUMB_SHARED uint64_t bits64(uint64_t key, uint64_t i) {
  const Words x = philox(key, i >> 1);
  const int at = (int)(i & 1) * 2;
  return x.w[at] | (uint64_t)x.w[at + 1] << 32;
}

// [0, 1), 24 or 53 bits; and (0, 1), 32 or 52 bits and a half, symmetric about 1/2.
PLUMB_SHARED double unit(uint32_t w) { return (double)(w >> 8) * 0x1p-24; }
PLUMB_SHARED double unit(uint64_t w) { return (double)(w >> 11) * 0x1p-53; }
PLUMB_SHARED double open_unit(uint32_t w) { return ((double)w + 0.5) * 0x1p-32; }
PLUMB_SHARED double open_unit(uint64_t w) { return ((double)(w >> 12) + 0.5) * 0x1p-52; }

PLUMB_SHARED double multiply_add(double a, double b, double c) {
#if defined(__CUDA_ARCH__)
  return ::fma(a, b, c);
#else
  return __builtin_fma(a, b, c);
#endif
}
PLUMB_SHARED double square_root(double x) {
#if defined(__CUDA_ARCH__)
  return ::sqrt(x);
#else
  return __builtin_sqrt(x);
#endif
}
// c[0] + c[1] x + ... + c[n - 1] x^(n - 1)
template <int n>
PLUMB_SHARED double polynomial(const double (&c)[n], double x) {
  double sum = c[n - 1];
  for (int i = n - 2; i >= 0; --i) sum = multiply_add(sum, x, c[i]);
  return sum;
}

// Natural logarithm of a positive normal number, by the series of atanh.
PLUMB_SHARED double log(double x) {
  uint64_t u;
  __builtin_memcpy(&u, &x, sizeof u);
  int exponent = (int)(u >> 52) - 1023;
  u = (u & 0xfffffffffffffull) | 0x3ff0000000000000ull;
  double m;
  __builtin_memcpy(&m, &u, sizeof m);
  if (m > 1.4142135623730951) {
    m = m * 0.5;
    exponent = exponent + 1;
  }
  const double c[] = {0,        1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9, 1.0 / 11,
                      1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
  const double s = (m - 1) / (m + 1), twice = s + s;
  return multiply_add((double)exponent, 0.6931471805599453, multiply_add(twice, polynomial(c, s * s), twice));
}

// Where the distribution function of the normal takes the value p, 0 < p < 1: Wichura's AS 241, relative error 1e-16.
// Near the middle (85 % of all p), as a function of q = p - 1/2, |q| <= 0.425:
PLUMB_SHARED double normal_middle(double q) {
  const double a[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                      1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                      3.3430575583588128105e4, 2.5090809287301226727e3};
  const double b[] = {1,
                      4.2313330701600911252e1,
                      6.8718700749205790830e2,
                      5.3941960214247511077e3,
                      2.1213794301586595867e4,
                      3.9307895800092710610e4,
                      2.8729085735721942674e4,
                      5.2264952788528545610e3};
  const double r = multiply_add(-q, q, 0.180625);
  return q * polynomial(a, r) / polynomial(b, r);
}
PLUMB_SHARED double normal_tail(double p) {
  const double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                      3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                      2.27238449892691845833e-2, 7.74545014278341407640e-4};
  const double d[] = {1,
                      2.05319162663775882187e0,
                      1.67638483018380384940e0,
                      6.89767334985100004550e-1,
                      1.48103976427480074590e-1,
                      1.51986665636164571966e-2,
                      5.47593808499534494600e-4,
                      1.05075007164441684324e-9};
  const double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                      2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                      2.71155556874348757815e-5, 2.01033439929228813265e-7};
  const double f[] = {1,
                      5.99832206555887937690e-1,
                      1.36929880922735805310e-1,
                      1.48753612908506148525e-2,
                      7.86869131145613259100e-4,
                      1.84631831751005468180e-5,
                      1.42151175831644588870e-7,
                      2.04426310338993978564e-15};
  const bool low = p < 0.5;
  const double r = square_root(-log(low ? p : 1 - p));
  const double z =
      r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6) : polynomial(e, r - 5) / polynomial(f, r - 5);
  return low ? -z : z;
}
PLUMB_SHARED bool in_middle(double q) { return q >= -0.425 && q <= 0.425; }
PLUMB_SHARED double normal(double p) { return in_middle(p - 0.5) ? normal_middle(p - 0.5) : normal_tail(p); }

// The normal cut at two standard deviations has this standard deviation; P(Z < -2).
constexpr double truncated_sd = 0.87962566103423978, below_minus_two = 0.022750131948179207;
PLUMB_SHARED double truncated_p(double u) { return multiply_add(u, 1 - 2 * below_minus_two, below_minus_two); }
// To a value of unit standard deviation; rounding must not leave the cut.
PLUMB_SHARED double truncated_scaled(double z) { return (z < -2 ? -2.0 : z > 2 ? 2.0 : z) / truncated_sd; }

PLUMB_SHARED double gumbel(double u) { return -log(-log(u)); }

// Uniform in [low, high): what rounds to `high` or above takes the next smaller float.
PLUMB_SHARED double uniform(double u, double low, double high) { return multiply_add(u, high - low, low); }
PLUMB_SHARED float below(float x, double high, double low) {
  if ((double)x < high || low >= high) return x;
  uint32_t u;
  __builtin_memcpy(&u, &x, sizeof u);
  u = x > 0 ? u - 1 : x < 0 ? u + 1 : 0x80000001u;
  __builtin_memcpy(&x, &u, sizeof u);
  return x;
}
PLUMB_SHARED double below(double x, double high, double low) {
  if (x < high || low >= high) return x;
  uint64_t u;
  __builtin_memcpy(&u, &x, sizeof u);
  u = x > 0 ? u - 1 : x < 0 ? u + 1 : 0x8000000000000001ull;
  __builtin_memcpy(&x, &u, sizeof u);
  return x;
}

}  // namespace plumb::random_math
