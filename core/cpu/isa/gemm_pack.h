// Packing for the products: gathers a panel of A's rows or B's columns ("lanes") into k-major order.
#pragma once

#include "core/cpu/isa/gemm_vector.h"

namespace plumb::cpu::PLUMB_ISA_NS {

// A panel in the caller's memory: lane l at k is from[l * lane_stride + k * k_stride].
template <class S>
struct PanelSource {
  const S* from;
  int64_t lane_stride, k_stride;
};

template <class T>
constexpr int k_per_element = 1;
template <>
constexpr int k_per_element<uint32_t> = 2;

// Lanes lie along the vector's own direction in memory.
template <class T, class S>
static void pack_rows(T* to, int width, PanelSource<S> s, int count, int64_t k) {
  for (int64_t i = 0; i < k; ++i) {
    __builtin_prefetch(s.from + (i + 16) * s.k_stride);  // rows of another page each: nobody else foresees them
    store(to + i * width, load_as(s.from + i * s.k_stride, count, T{}));
  }
}

// Lanes lie across: blocks of lanes x lanes are transposed in registers. `some` of the block's k are there.
template <class T, class S, bool whole>
PLUMB_INLINE void pack_block(T* to, int width, PanelSource<S> s, int count, int some) {
  constexpr int n = lanes<T>;
  Vec<T> block[n];
  if constexpr (whole) {
#pragma GCC unroll 16
    for (int l = 0; l < n; ++l) {
      __builtin_prefetch(s.from + l * s.lane_stride + 2 * n * k_per_element<T>);
      block[l] = load_as(s.from + l * s.lane_stride, n, T{});
    }
  } else {
    for (int l = 0; l < n; ++l) block[l] = l < count ? load_as(s.from + l * s.lane_stride, some, T{}) : Vec<T>{};
  }
  transpose<T>(block);
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i)
    if (whole || i < some) store(to + i * width, block[i]);
}
template <class T, class S>
static void pack_columns(T* to, int width, PanelSource<S> s, int count, int64_t k) {
  constexpr int n = lanes<T>;
  const int64_t even = count == n ? k / n * n : 0;
  for (int64_t i = 0; i < even; i += n)
    pack_block<T, S, true>(to + i * width, width, {s.from + i * k_per_element<T>, s.lane_stride, 1}, n, n);
  for (int64_t i = even; i < k; i += n)
    pack_block<T, S, false>(to + i * width, width, {s.from + i * k_per_element<T>, s.lane_stride, 1}, count,
                            static_cast<int>(k - i < n ? k - i : n));
}

template <class T, class S>
static void pack_scattered(T* to, int width, PanelSource<S> s, int count, int filled, int64_t k) {
  for (int64_t i = 0; i < k; ++i)
    for (int l = 0; l < filled; ++l)
      to[i * width + l] = l < count ? element_as(s.from[l * s.lane_stride + i * s.k_stride], T{}) : T{};
}

// to[i * width + l] = lane l at i, zero for lanes from `count` to `width`. Whole vectors are stored, so up to one
// vector past the end of `to` is overwritten; the last group of lanes goes first, because its overrun falls on the
// first group.
template <class T, class S>
static void pack_panel(T* to, int width, PanelSource<S> s, int count, int64_t k) {
  if (width == 1 && s.k_stride == 1) {  // one row: a copy along k
    for (int64_t i = 0; i < k; i += lanes<T>)
      store(to + i, load_as(s.from + i, static_cast<int>(k - i < lanes<T> ? k - i : lanes<T>), T{}));
    return;
  }
  for (int first = (width - 1) / lanes<T> * lanes<T>; first >= 0; first -= lanes<T>) {
    const int here = count - first < lanes<T> ? count - first : lanes<T>;
    const PanelSource<S> group{s.from + first * s.lane_stride, s.lane_stride, s.k_stride};
    if (s.lane_stride == 1) pack_rows(to + first, width, group, here, k);
    else if (s.k_stride == 1) pack_columns(to + first, width, group, here, k);
    else pack_scattered(to + first, width, group, here, width - first < lanes<T> ? width - first : lanes<T>, k);
  }
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
