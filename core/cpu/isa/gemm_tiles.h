// Register tiles of the products. P is the packed element of A and B, Acc the element of C; both have as many lanes.
// A step is multiply_add(x, y, sum): fma for P = Acc; gemm_bf16.cpp adds its own before including this.
#pragma once

#include "core/cpu/isa/gemm_driver.h"

namespace plumb::cpu::PLUMB_ISA_NS {

PLUMB_INLINE F32 multiply_add(F32 x, F32 y, F32 sum) { return fma(x, y, sum); }
PLUMB_INLINE F64 multiply_add(F64 x, F64 y, F64 sum) { return fma(x, y, sum); }

template <int... counts>
struct RowCounts {
  static constexpr int most = sizeof...(counts);
};
#if defined(PLUMB_ISA_avx512)
using Rows = RowCounts<1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>;  // x 2 vectors: 24 of 32 registers hold C
#elif defined(PLUMB_ISA_avx2)
using Rows = RowCounts<1, 2, 3, 4, 5, 6>;  // 12 of 16
#else
using Rows = RowCounts<1, 2, 3, 4>;  // 8 of 16, and the products before they are added
#endif

// Four rows share a pointer, so that twelve rows need no more than six registers.
template <class P, int mr>
struct RowPointers {
  const P* of_four[(mr + 3) / 4];
  int64_t row;

  static __attribute__((always_inline)) RowPointers start(const P* a, int64_t row) {
    RowPointers result;
    result.row = row;
#pragma GCC unroll 4
    for (int i = 0; i < (mr + 3) / 4; ++i) result.of_four[i] = a + 4 * i * row;
    return result;
  }
  __attribute__((always_inline)) P at(int i) const { return of_four[i / 4][(i % 4) * row]; }
  __attribute__((always_inline)) void advance(int64_t step) {
#pragma GCC unroll 4
    for (int i = 0; i < (mr + 3) / 4; ++i) of_four[i] += step;
  }
};

// acc += chain over `k` steps.
template <class P, class Acc, int mr, int nv>
PLUMB_INLINE void chain(Vec<Acc> (&acc)[mr][nv], RowPointers<P, mr>& a, const P*& b, const TileJob<P, Acc>& job,
                        int32_t k) {
  for (; k > 0; --k) {
    Vec<P> columns[nv];
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) columns[v] = load(b + v * lanes<P>);
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) __builtin_prefetch(b + 8 * job.b_k + v * lanes<P>);
#pragma GCC unroll 12
    for (int i = 0; i < mr; ++i) {
      const Vec<P> x = broadcast(a.at(i));
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) acc[i][v] = multiply_add(x, columns[v], acc[i][v]);
    }
    a.advance(job.a_k);
    b += job.b_k;
  }
}

// What a tile does with C; the last vector may have fewer lanes (`whole` is false).
template <class T, int mr, int nv, bool whole>
struct TileOfC {
  T* c;
  int64_t row;
  int last;

  __attribute__((always_inline)) Vec<T> get(int i, int v) const {
    const T* p = c + i * row + v * lanes<T>;
    return whole || v < nv - 1 ? load(p) : load_first(p, last);
  }
  __attribute__((always_inline)) void put(int i, int v, Vec<T> x) const {
    T* p = c + i * row + v * lanes<T>;
    if (whole || v < nv - 1) store(p, x);
    else store_first(p, x, last);
  }
  // C is written a chain from now: long enough for its lines to come from afar.
  __attribute__((always_inline)) void prefetch() const {
#pragma GCC unroll 12
    for (int i = 0; i < mr; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) __builtin_prefetch(c + i * row + v * lanes<T>, 1);
  }
  __attribute__((always_inline)) void write(const Vec<T> (&from)[mr][nv], bool add) const {
    if (add) {
#pragma GCC unroll 12
      for (int i = 0; i < mr; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < nv; ++v) put(i, v, get(i, v) + from[i][v]);
    } else {
#pragma GCC unroll 12
      for (int i = 0; i < mr; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < nv; ++v) put(i, v, from[i][v]);
    }
  }
};

// Registers hold the current part; C in memory holds the sum of the parts before it.
template <class P, class Acc, int mr, int nv, bool whole>
PLUMB_INLINE void long_parts(const TileJob<P, Acc>& job) {
  const TileOfC<Acc, mr, nv, whole> c{job.c, job.c_row, job.last};
  auto a = RowPointers<P, mr>::start(job.a, job.a_row);
  const P* b = job.b;
  bool add = job.add;
  c.prefetch();
  for (int32_t p = 0; p < job.count; ++p, add = true) {
    Vec<Acc> acc[mr][nv] = {};
    chain<P, Acc, mr, nv>(acc, a, b, job, job.parts[p]);
    c.write(acc, add);
  }
}

// For parts of a few k: the sum of parts stays in registers as well. It starts from -0, which leaves any first part as
// it is.
template <class P, class Acc, int mr, int nv, bool whole>
PLUMB_INLINE void short_parts(const TileJob<P, Acc>& job) {
  const TileOfC<Acc, mr, nv, whole> c{job.c, job.c_row, job.last};
  auto a = RowPointers<P, mr>::start(job.a, job.a_row);
  const P* b = job.b;
  Vec<Acc> sum[mr][nv];
#pragma GCC unroll 12
  for (int i = 0; i < mr; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) sum[i][v] = job.add ? c.get(i, v) : broadcast(Acc(-0.0));
  for (int32_t p = 0; p < job.count; ++p) {
    Vec<Acc> acc[mr][nv] = {};
    chain<P, Acc, mr, nv>(acc, a, b, job, job.parts[p]);
#pragma GCC unroll 12
    for (int i = 0; i < mr; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) sum[i][v] = sum[i][v] + acc[i][v];
  }
  c.write(sum, false);
}

template <class P, class Acc, int mr, int nv>
static void tile(const TileJob<P, Acc>& j) {
  const TileJob<P, Acc> job = j;  // a copy, which stores to C cannot change
  if (job.last == lanes<Acc>) long_parts<P, Acc, mr, nv, true>(job);
  else long_parts<P, Acc, mr, nv, false>(job);
}
template <class P, class Acc, int mr, int nv>
static void short_tile(const TileJob<P, Acc>& j) {
  const TileJob<P, Acc> job = j;
  if (job.last == lanes<Acc>) short_parts<P, Acc, mr, nv, true>(job);
  else short_parts<P, Acc, mr, nv, false>(job);
}

template <class P, class Acc>
using Tile = void (*)(const TileJob<P, Acc>&);
template <class P, class Acc, class>
struct Tiles;
template <class P, class Acc, int... mr>
struct Tiles<P, Acc, RowCounts<mr...>> {
  static constexpr Tile<P, Acc> one[] = {tile<P, Acc, mr, 1>...};
  static constexpr Tile<P, Acc> two[] = {tile<P, Acc, mr, 2>...};
  static constexpr Tile<P, Acc> short_one[] = {short_tile<P, Acc, mr, 1>...};
  static constexpr Tile<P, Acc> short_two[] = {short_tile<P, Acc, mr, 2>...};
};

template <class P, class Acc>
static Tile<P, Acc> choose_tile(int height, int nv, bool short_parts) {
  using All = Tiles<P, Acc, Rows>;
  if (nv == 4) return short_parts ? short_tile<P, Acc, 1, 4> : tile<P, Acc, 1, 4>;
  if (short_parts) return (nv == 1 ? All::short_one : All::short_two)[height - 1];
  return (nv == 1 ? All::one : All::two)[height - 1];
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
