// Sixty-four bytes of numbers, whatever the registers: 16 floats or 8 doubles, so that a sum over lanes has the same
// order on every instruction set. The row kernels (softmax, norm, attention) are written with it, in namespace wide.
#pragma once

#include "core/cpu/isa/vmath.h"

namespace plumb::cpu::PLUMB_ISA_NS::wide {

template <class T>
struct Lanes {
  static constexpr int count = 64 / sizeof(T), part = lanes<T>, parts = count / part;
  Vec<T> v[parts];
};

template <class T>
PLUMB_INLINE Lanes<T> splat(T x) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = PLUMB_ISA_NS::splat(x);
  return r;
}
template <class T>
PLUMB_INLINE Lanes<T> load(const T* p) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = PLUMB_ISA_NS::load(p + i * r.part);
  return r;
}
template <class T>
PLUMB_INLINE void store(T* p, const Lanes<T>& x) {
  for (int i = 0; i < x.parts; ++i) PLUMB_ISA_NS::store(p + i * x.part, x.v[i]);
}
// The first n entries, `fill` in the lanes beyond.
template <class T>
PLUMB_INLINE Lanes<T> load_part(const T* p, int64_t n, T fill = 0) {
  T whole[Lanes<T>::count];
  for (int i = 0; i < Lanes<T>::count; ++i) whole[i] = i < n ? p[i] : fill;
  return load(whole);
}
template <class T>
PLUMB_INLINE void store_part(T* p, const Lanes<T>& x, int64_t n) {
  T whole[Lanes<T>::count];
  store(whole, x);
  for (int i = 0; i < Lanes<T>::count; ++i)
    if (i < n) p[i] = whole[i];
}
// 0, 1, 2, ...: enough for a window of lanes that starts at any lane of a vector.
template <class I>
inline constexpr I lane_index[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                   12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

// The first n lanes of x, `fill` in those beyond, whatever they held.
template <class T>
PLUMB_INLINE Lanes<T> first(const Lanes<T>& x, int64_t n, T fill = 0) {
  using I = typename Simd<T>::I;
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) {
    typename Simd<T>::M index;
    __builtin_memcpy(&index, lane_index<I>, sizeof index);
    r.v[i] = index < (I)(n - i * r.part) ? x.v[i] : PLUMB_ISA_NS::splat(fill);
  }
  return r;
}

#define PLUMB_LANEWISE(name, expression) \
  template <class T> \
  PLUMB_INLINE Lanes<T> name(const Lanes<T>& x, const Lanes<T>& y) { \
    Lanes<T> r; \
    for (int i = 0; i < r.parts; ++i) { \
      const Vec<T> a = x.v[i], b = y.v[i]; \
      r.v[i] = expression; \
    } \
    return r; \
  }
PLUMB_LANEWISE(operator+, a + b)
PLUMB_LANEWISE(operator-, a - b)
PLUMB_LANEWISE(operator*, a* b)
PLUMB_LANEWISE(operator/, a / b)
PLUMB_LANEWISE(max, a > b ? a : b)  // b where they do not compare
#undef PLUMB_LANEWISE

#define PLUMB_LANEWISE(name) \
  template <class T> \
  PLUMB_INLINE Lanes<T> name(const Lanes<T>& x) { \
    Lanes<T> r; \
    for (int i = 0; i < r.parts; ++i) r.v[i] = PLUMB_ISA_NS::name(x.v[i]); \
    return r; \
  }
PLUMB_LANEWISE(exp)
PLUMB_LANEWISE(tanh)
PLUMB_LANEWISE(log)
#undef PLUMB_LANEWISE

template <class T>
PLUMB_INLINE Lanes<T> fma(const Lanes<T>& a, const Lanes<T>& b, const Lanes<T>& c) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = PLUMB_ISA_NS::fma(a.v[i], b.v[i], c.v[i]);
  return r;
}
template <class T>
PLUMB_INLINE T log(T x) {
  return PLUMB_ISA_NS::log(PLUMB_ISA_NS::splat(x))[0];
}

// Halves folded onto each other, by `fold`: a fixed tree.
template <class T, class Fold>
PLUMB_INLINE T fold_lanes(Lanes<T> x, const Fold& fold) {
  using Index = typename Simd<T>::M;
  for (int half = x.parts / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) x.v[i] = fold(x.v[i], x.v[i + half]);
  for (int half = x.part / 2; half > 0; half /= 2) {
    Index from;  // taken modulo the width
    __builtin_memcpy(&from, lane_index<typename Simd<T>::I> + half, sizeof from);
    x.v[0] = fold(x.v[0], __builtin_shuffle(x.v[0], from));
  }
  return x.v[0][0];
}
template <class T>
PLUMB_INLINE T sum(const Lanes<T>& x) {
  return fold_lanes(
      x, [](const Vec<T>& a, const Vec<T>& b) __attribute__((always_inline)) { return a + b; });
}
template <class T>
PLUMB_INLINE T highest(const Lanes<T>& x) {
  return fold_lanes(
      x, [](const Vec<T>& a, const Vec<T>& b) __attribute__((always_inline)) { return a > b ? a : b; });
}

}  // namespace plumb::cpu::PLUMB_ISA_NS::wide
