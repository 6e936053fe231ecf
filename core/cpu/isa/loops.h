// Loops over contiguous memory, from an operation on vectors (with tails padded to a whole vector, so that the bits of
// an element do not depend on its place) or from an exact operation on scalars, left to the compiler to vectorise.
#pragma once

#include "core/cpu/isa/simd.h"

namespace plumb::cpu::PLUMB_ISA_NS {

template <class T, auto op>
void unary_vectors(const void* x_, void* out_, int64_t n) {
  const T* x = static_cast<const T*>(x_);
  T* out = static_cast<T*>(out_);
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) store<T>(out + i, op(load<T>(x + i)));
  if (i < n) store_part<T>(out + i, op(load_part<T>(x + i, n - i)), n - i);
}

template <class T, auto op, bool splat_a, bool splat_b>
void binary_vectors(const void* a_, const void* b_, void* out_, int64_t n) {
  const T *a = static_cast<const T*>(a_), *b = static_cast<const T*>(b_);
  T* out = static_cast<T*>(out_);
  const Vec<T> all_a = splat<T>(splat_a && n ? *a : T{}), all_b = splat<T>(splat_b && n ? *b : T{});
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>)
    store<T>(out + i, op(splat_a ? all_a : load<T>(a + i), splat_b ? all_b : load<T>(b + i)));
  if (i == n) return;
  const Vec<T> x = splat_a ? all_a : load_part<T>(a + i, n - i), y = splat_b ? all_b : load_part<T>(b + i, n - i);
  store_part<T>(out + i, op(x, y), n - i);
}

// Inputs may be the output exactly, never overlap it otherwise: nothing is carried from one element to another.
template <class T, class Out, auto op>
void unary_scalars(const void* x_, void* out_, int64_t n) {
  const T* x = static_cast<const T*>(x_);
  Out* out = static_cast<Out*>(out_);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Out>(op(x[i]));
}

template <class T, class Out, auto op, bool splat_a, bool splat_b>
void binary_scalars(const void* a_, const void* b_, void* out_, int64_t n) {
  const T *a = static_cast<const T*>(a_), *b = static_cast<const T*>(b_);
  Out* out = static_cast<Out*>(out_);
  const T all_a = splat_a && n ? *a : T{}, all_b = splat_b && n ? *b : T{};
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Out>(op(splat_a ? all_a : a[i], splat_b ? all_b : b[i]));
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
