// Elementary functions for f32 and f64: as core/cpu/isa/vmath.h and activations.h, on CUDA's accurate library functions, so that
// nothing overflows or cancels and infinities and NaN come out the same.
#pragma once

#include <cmath>

#include "core/cuda/kernel.h"

namespace plumb::cuda {

template <class T>
__device__ inline T relu(T x) {
  return x <= 0 ? T{} : x;
}  // NaN stays

// e^-|x| never overflows, and e / (1 + e) keeps the relative error of the small side.
template <class T>
__device__ inline T sigmoid(T x) {
  const T e = std::exp(-std::fabs(x));
  return (x < 0 ? e : T{1}) / (e + 1);
}
template <class T>
__device__ inline T softplus(T x) {
  return relu(x) + std::log1p(std::exp(-std::fabs(x)));
}
template <class T>
__device__ inline T log_sigmoid(T x) {
  return -softplus(-x);
}

// log(1 - e^x) for x <= 0, by whichever of the two forms does not cancel.
template <class T>
__device__ inline T log1m_exp(T x) {
  return x > T(-0.69314718055994531) ? std::log(-std::expm1(x)) : std::log1p(-std::exp(x));
}
template <class T>
__device__ inline T log_add_exp(T a, T b) {
  const T high = a > b ? a : b, gap = a == b ? T{} : -std::fabs(a - b);  // equal infinities included
  return high + std::log1p(std::exp(gap));
}

// x sigmoid(x); the product is 0, not NaN, at minus infinity.
template <class T>
__device__ inline T silu(T x) {
  const T e = std::exp(-std::fabs(x));
  return (x < 0 ? (x < -1000 ? T{} : x) * e : x) / (e + 1);
}
template <class T>
__device__ inline T silu_slope(T x) {
  const T e = std::exp(-std::fabs(x)), d = 1 / (e + 1), s = x < 0 ? e * d : d, rest = x < 0 ? d : e * d;
  return s + (std::fabs(x) > 1000 ? T{} : x) * s * rest;
}

// x P(Z < x), from the tail so that nothing cancels.
template <class T>
__device__ inline T gelu(T x) {
  const T c = x < -40 ? T{-40} : x;
  return T(0.5) * c * std::erfc(c * T(-0.70710678118654752));
}
template <class T>
__device__ inline T gelu_slope(T x) {
  const T c = std::fabs(x) > 40 ? (x < 0 ? T{-40} : T{40}) : x;
  return T(0.5) * std::erfc(c * T(-0.70710678118654752)) + c * T(0.39894228040143268) * std::exp(c * c * T(-0.5));
}

// The tanh form, as x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
template <class T>
__device__ inline T gelu_tanh(T x) {
  const T c = std::fabs(x) > 100 ? (x < 0 ? T{-100} : T{100}) : x;
  const T u2 = c * T(1.5957691216057308) * (1 + T(0.044715) * c * c), e = std::exp(-std::fabs(u2));
  return (c < 0 ? c * e : x) / (e + 1);
}
template <class T>
__device__ inline T gelu_tanh_slope(T x) {
  const T c = std::fabs(x) > 100 ? (x < 0 ? T{-100} : T{100}) : x;
  const T u2 = c * T(1.5957691216057308) * (1 + T(0.044715) * c * c), e = std::exp(-std::fabs(u2)), d = 1 / (e + 1);
  const T s = c < 0 ? e * d : d, rest = c < 0 ? d : e * d;
  return s + c * s * rest * (T(1.5957691216057308) * (1 + T(0.134145) * c * c));
}

// A logit and its slope under z -> cap tanh(z / cap); cap 0 = none.
template <class T>
__device__ inline T capped(T z, T cap) {
  return cap > 0 ? cap * std::tanh(z / cap) : z;
}
template <class T>
__device__ inline T capped_slope(T capped_z, T cap) {
  if (!(cap > 0)) return T{1};
  const T y = capped_z / cap;
  return (1 - y) * (1 + y);
}

}  // namespace plumb::cuda
