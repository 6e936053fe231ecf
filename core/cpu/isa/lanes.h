// Sixty-four bytes of numbers, whatever the registers: 16 floats or 8 doubles, so that a sum over lanes has the same
// order on every instruction set. Row kernels (softmax, norm, attention) are written with it.
#pragma once

#include <immintrin.h>

#include "core/cpu/isa/isa.h"

#define PLUMB_INLINE static inline __attribute__((always_inline))

namespace plumb::cpu::PLUMB_ISA_NS {

template <class T>
struct Native;
template <>
struct Native<float> {
  typedef float Vector __attribute__((vector_size(vector_bytes)));
  typedef float Unaligned __attribute__((vector_size(vector_bytes), aligned(4), may_alias));
  typedef int32_t Int __attribute__((vector_size(vector_bytes)));
  typedef int32_t UnalignedInt __attribute__((vector_size(vector_bytes), aligned(4), may_alias));
  static constexpr int32_t index[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
};
template <>
struct Native<double> {
  typedef double Vector __attribute__((vector_size(vector_bytes)));
  typedef double Unaligned __attribute__((vector_size(vector_bytes), aligned(8), may_alias));
  typedef int64_t Int __attribute__((vector_size(vector_bytes)));
  typedef int64_t UnalignedInt __attribute__((vector_size(vector_bytes), aligned(8), may_alias));
  static constexpr int64_t index[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
};

template <class T>
struct Lanes {
  using Vector = typename Native<T>::Vector;
  static constexpr int count = 64 / sizeof(T), parts = 64 / vector_bytes, part = count / parts;
  Vector v[parts];
};

template <class T>
PLUMB_INLINE Lanes<T> splat(T x) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = x - typename Lanes<T>::Vector{};
  return r;
}
template <class T>
PLUMB_INLINE Lanes<T> load(const T* p) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = *(const typename Native<T>::Unaligned*)(p + i * r.part);
  return r;
}
template <class T>
PLUMB_INLINE void store(T* p, const Lanes<T>& x) {
  for (int i = 0; i < x.parts; ++i) *(typename Native<T>::Unaligned*)(p + i * x.part) = x.v[i];
}
// The first n entries; `fill` in the lanes beyond.
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

#define PLUMB_LANEWISE(op)                                                  \
  template <class T>                                                        \
  PLUMB_INLINE Lanes<T> operator op(const Lanes<T>& a, const Lanes<T>& b) { \
    Lanes<T> r;                                                             \
    for (int i = 0; i < r.parts; ++i) r.v[i] = a.v[i] op b.v[i];            \
    return r;                                                               \
  }
PLUMB_LANEWISE(+)
PLUMB_LANEWISE(-)
PLUMB_LANEWISE(*)
PLUMB_LANEWISE(/)
#undef PLUMB_LANEWISE

// b where they do not compare.
template <class T>
PLUMB_INLINE Lanes<T> max(const Lanes<T>& a, const Lanes<T>& b) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
  return r;
}
template <class T>
PLUMB_INLINE Lanes<T> min(const Lanes<T>& a, const Lanes<T>& b) {
  Lanes<T> r;
  for (int i = 0; i < r.parts; ++i) r.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
  return r;
}
// The first n lanes of x; zero in the others, whatever they held.
template <class T>
PLUMB_INLINE Lanes<T> first(const Lanes<T>& x, int64_t n) {
  T whole[Lanes<T>::count];
  store(whole, x);
  return load_part(whole, n);
}

// The first n lanes of x, those of other beyond.
template <class T>
PLUMB_INLINE Lanes<T> first_or(const Lanes<T>& x, const Lanes<T>& other, int64_t n) {
  T a[Lanes<T>::count], b[Lanes<T>::count];
  store(a, x);
  store(b, other);
  for (int i = 0; i < Lanes<T>::count; ++i) a[i] = i < n ? a[i] : b[i];
  return load(a);
}

// Halves folded onto each other, by `fold`: a fixed tree.
template <class T, class Fold>
PLUMB_INLINE T fold_lanes(Lanes<T> x, const Fold& fold) {
  for (int half = x.parts / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) x.v[i] = fold(x.v[i], x.v[i + half]);
  for (int half = x.part / 2; half > 0; half /= 2) {
    const auto from = *(const typename Native<T>::UnalignedInt*)(Native<T>::index + half);  // taken modulo the width
    x.v[0] = fold(x.v[0], __builtin_shuffle(x.v[0], (typename Native<T>::Int)from));
  }
  return x.v[0][0];
}
template <class T>
PLUMB_INLINE T sum(const Lanes<T>& x) {
  using V = typename Lanes<T>::Vector;
  return fold_lanes(
      x, [](const V& a, const V& b) __attribute__((always_inline)) { return a + b; });
}
template <class T>
PLUMB_INLINE T highest(const Lanes<T>& x) {
  using V = typename Lanes<T>::Vector;
  return fold_lanes(
      x, [](const V& a, const V& b) __attribute__((always_inline)) { return a > b ? a : b; });
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
