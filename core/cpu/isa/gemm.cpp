// Products of f32 and f64 by register tiles: each element is a sum of chains of fma (the matmul contract).
#include "core/cpu/isa/gemm_driver.h"
#include "core/cpu/isa/gemm_pack.h"

namespace plumb::cpu::PLUMB_ISA_NS {

namespace {

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
template <class T, int mr>
struct RowPointers {
  const T* of_four[(mr + 3) / 4];
  int64_t row;

  static __attribute__((always_inline)) RowPointers start(const T* a, int64_t row) {
    RowPointers p;
    p.row = row;
#pragma GCC unroll 4
    for (int i = 0; i < (mr + 3) / 4; ++i) p.of_four[i] = a + 4 * i * row;
    return p;
  }
  __attribute__((always_inline)) T at(int i) const { return of_four[i / 4][(i % 4) * row]; }
  __attribute__((always_inline)) void advance(int64_t step) {
#pragma GCC unroll 4
    for (int i = 0; i < (mr + 3) / 4; ++i) of_four[i] += step;
  }
};

// acc += chain over `k` steps.
template <class T, int mr, int nv>
PLUMB_INLINE void chain(Vec<T> (&acc)[mr][nv], RowPointers<T, mr>& a, const T*& b, const TileJob<T, T>& job,
                        int32_t k) {
  for (; k > 0; --k) {
    Vec<T> columns[nv];
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) columns[v] = load(b + v * lanes<T>);
#pragma GCC unroll 12
    for (int i = 0; i < mr; ++i) {
      const Vec<T> x = broadcast(a.at(i));
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) acc[i][v] = fma(x, columns[v], acc[i][v]);
    }
    a.advance(job.a_k);
    b += job.b_k;
  }
}

template <class T, int mr, int nv>
PLUMB_INLINE void read_tile(Vec<T> (&to)[mr][nv], const TileJob<T, T>& job) {
#pragma GCC unroll 12
  for (int i = 0; i < mr; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) {
      const T* c = job.c + i * job.c_row + v * lanes<T>;
      to[i][v] = v < nv - 1 || job.last == lanes<T> ? load(c) : load_first(c, job.last);
    }
  }
}
template <class T, int mr, int nv>
PLUMB_INLINE void write_tile(const Vec<T> (&from)[mr][nv], const TileJob<T, T>& job) {
#pragma GCC unroll 12
  for (int i = 0; i < mr; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) {
      T* c = job.c + i * job.c_row + v * lanes<T>;
      if (v < nv - 1 || job.last == lanes<T>)
        store(c, from[i][v]);
      else
        store_first(c, from[i][v], job.last);
    }
  }
}
template <class T, int mr, int nv>
PLUMB_INLINE void add_to_tile(Vec<T> (&acc)[mr][nv], const TileJob<T, T>& job) {
#pragma GCC unroll 12
  for (int i = 0; i < mr; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) {
      const T* c = job.c + i * job.c_row + v * lanes<T>;
      acc[i][v] = (v < nv - 1 || job.last == lanes<T> ? load(c) : load_first(c, job.last)) + acc[i][v];
    }
  }
}

// Registers hold the current part; C in memory holds the sum of the parts before it.
template <class T, int mr, int nv>
void tile(const TileJob<T, T>& job) {
  auto a = RowPointers<T, mr>::start(job.a, job.a_row);
  const T* b = job.b;
  bool add = job.add;
  for (int32_t p = 0; p < job.count; ++p, add = true) {
    Vec<T> acc[mr][nv] = {};
    chain<T, mr, nv>(acc, a, b, job, job.parts[p]);
    if (add) add_to_tile<T, mr, nv>(acc, job);
    write_tile<T, mr, nv>(acc, job);
  }
}

// For parts of a few k: the sum of parts stays in registers as well. It starts from -0, which leaves any first part as
// it is.
template <class T, int mr, int nv>
void short_tile(const TileJob<T, T>& job) {
  auto a = RowPointers<T, mr>::start(job.a, job.a_row);
  const T* b = job.b;
  Vec<T> sum[mr][nv];
#pragma GCC unroll 12
  for (int i = 0; i < mr; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) sum[i][v] = broadcast(T(-0.0));
  if (job.add) read_tile<T, mr, nv>(sum, job);
  for (int32_t p = 0; p < job.count; ++p) {
    Vec<T> acc[mr][nv] = {};
    chain<T, mr, nv>(acc, a, b, job, job.parts[p]);
#pragma GCC unroll 12
    for (int i = 0; i < mr; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) sum[i][v] = sum[i][v] + acc[i][v];
  }
  write_tile<T, mr, nv>(sum, job);
}

template <class T>
using Tile = void (*)(const TileJob<T, T>&);
template <class T, class>
struct Tiles;
template <class T, int... mr>
struct Tiles<T, RowCounts<mr...>> {
  static constexpr Tile<T> one[] = {tile<T, mr, 1>...};
  static constexpr Tile<T> two[] = {tile<T, mr, 2>...};
  static constexpr Tile<T> short_one[] = {short_tile<T, mr, 1>...};
  static constexpr Tile<T> short_two[] = {short_tile<T, mr, 2>...};
};

template <class T>
struct Policy {
  using Packed = T;
  using Acc = T;
  static constexpr int rows = Rows::most, per_element = 1;

  // A stride of 4 KiB puts every row into the same sets of the first-level cache.
  static bool collides(int64_t stride) { return stride * static_cast<int64_t>(sizeof(T)) % 4096 == 0; }
  // Unpacked, A pays when each element is used for few columns, B when it is used for few rows or fits the first-level
  // cache.
  static bool direct_a(const GemmCall<T>& g) {
    if (g.a_bf16) return false;
    return g.m == 1 || (g.n <= 4 * lanes<T> && !collides(g.a_row) && !collides(g.a_col));
  }
  static bool direct_b(const GemmCall<T>& g) {
    if (g.b_bf16 || g.b_col != 1) return false;
    const bool small = g.k * g.b_row * static_cast<int64_t>(sizeof(T)) <= 24 * 1024;
    return small || g.m <= 2 * rows;
  }
  static const T* a_at(const GemmCall<T>& g, int64_t i, int64_t k) {
    return static_cast<const T*>(g.a) + i * g.a_row + k * g.a_col;
  }
  static const T* b_at(const GemmCall<T>& g, int64_t k, int64_t j) {
    return static_cast<const T*>(g.b) + k * g.b_row + j * g.b_col;
  }

  template <class S>
  static PanelSource<S> source(const void* data, int64_t lane, int64_t k, int64_t lane_stride, int64_t k_stride) {
    return {static_cast<const S*>(data) + lane * lane_stride + k * k_stride, lane_stride, k_stride};
  }
  static void pack_a(T* to, const GemmCall<T>& g, const KBlock& block, int64_t i, int height) {
    if constexpr (sizeof(T) == sizeof(float)) {
      if (g.a_bf16)
        return pack_panel(to, height, source<uint16_t>(g.a, i, block.begin, g.a_row, g.a_col), height, block.length);
    }
    pack_panel(to, height, source<T>(g.a, i, block.begin, g.a_row, g.a_col), height, block.length);
  }
  static void pack_b(T* to, const GemmCall<T>& g, const KBlock& block, int64_t j, int width, int count) {
    if constexpr (sizeof(T) == sizeof(float)) {
      if (g.b_bf16)
        return pack_panel(to, width, source<uint16_t>(g.b, j, block.begin, g.b_col, g.b_row), count, block.length);
    }
    pack_panel(to, width, source<T>(g.b, j, block.begin, g.b_col, g.b_row), count, block.length);
  }

  static Tile<T> tile(int height, int nv, bool short_parts) {
    using All = Tiles<T, Rows>;
    if (nv == 4) return short_parts ? short_tile<T, 1, 4> : PLUMB_ISA_NS::tile<T, 1, 4>;
    if (short_parts) return (nv == 1 ? All::short_one : All::short_two)[height - 1];
    return (nv == 1 ? All::one : All::two)[height - 1];
  }
};

void gemm_f32(const GemmCall<float>& call, void* scratch) { gemm<Policy<float>>(call, scratch); }
void gemm_f64(const GemmCall<double>& call, void* scratch) { gemm<Policy<double>>(call, scratch); }

}  // namespace

const GemmTable& gemm_table() {
#if defined(PLUMB_ISA_avx512)
  static const GemmTable table{gemm_f32, gemm_f64, nullptr};
#else
  static const GemmTable table{gemm_f32, gemm_f64, nullptr};
#endif
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
