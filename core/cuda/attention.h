// Tiles of attention, forward and backward. A block of 256 threads works on 32 rows against tiles of
// 32 columns; thread (r, c) owns the columns c, c + 8, ... of row r. Every sum runs in order over fixed tiles from the
// first key (or query), so a row's bits do not depend on what lies beside or behind it.
#pragma once

#include "core/cuda/backend.h"
#include "core/cuda/functions.h"

namespace plumb::cuda {

inline constexpr int tile = 32, tile_lanes = 8, tile_threads = tile * tile_lanes;
inline constexpr int own = tile / tile_lanes;  // columns of a tile that a thread owns
inline constexpr int slice_tiles = 4;  // tiles of head columns that a block writes; wider heads take more blocks
inline constexpr i64 slice = slice_tiles * tile;

template <class A>
using Tile = A[tile][tile + 1];  // one more column keeps threads of different rows on different banks
static_assert(4 * sizeof(Tile<double>) <= 48 * 1024, "the backward pass holds four tiles in static shared memory");

struct AttentionShape {
  i64 batch, length, keys, heads, kv_heads, d;
  i64 q[4], k[4], v[4], out[4];  // strides
  double scale, softcap;
  bool causal, squared_relu;
  const i64* kv_length;
  i64 relu_length;  // of squared_relu's 1 / sqrt(relu_length)
  i64 query_tiles, key_tiles, slices;

  // Keys of row b, and how many of them query t sees.
  __device__ i64 keys_of(i64 b) const { return kv_length ? kv_length[b] : keys; }
  __device__ i64 visible(i64 b, i64 t) const {
    const i64 all = keys_of(b), seen = causal ? all - length + t + 1 : all;
    return seen < 0 ? 0 : seen < all ? seen : all;
  }
};

inline AttentionShape shape_of(const kernels::Attention& a) {
  AttentionShape s{a.q.shape[0],
                   a.q.shape[1],
                   a.k.shape[1],
                   a.q.shape[2],
                   a.k.shape[2],
                   a.q.shape[3],
                   {},
                   {},
                   {},
                   {},
                   a.scale,
                   a.softcap,
                   a.causal,
                   a.squared_relu,
                   a.kv_length,
                   a.relu_length ? a.relu_length : a.k.shape[1],
                   0,
                   0,
                   0};
  for (int i = 0; i < 4; ++i) {
    s.q[i] = a.q.strides[i];
    s.k[i] = a.k.strides[i];
    s.v[i] = a.v.strides[i];
    s.out[i] = a.out.strides[i];
  }
  s.query_tiles = (s.length + tile - 1) / tile;
  s.key_tiles = (s.keys + tile - 1) / tile;
  s.slices = (s.d + slice - 1) / slice;
  return s;
}

// Some rows of a matrix [.., d] with contiguous columns: the first `rows` of a tile exist, the others count as zero.
template <class T>
struct Band {
  const T* data;
  i64 stride, rows;
};
template <class T>
__device__ inline Band<T> band(const T* base, const i64 (&strides)[4], i64 b, i64 row, i64 head, i64 rows) {
  const i64 left = rows - row;
  return {base + b * strides[0] + row * strides[1] + head * strides[2], strides[1], left < tile ? left : i64{tile}};
}

template <class A, class T>
__device__ inline void load_tile(const Band<T>& x, i64 column, i64 d, Tile<A>& to) {
  for (int i = threadIdx.x; i < tile * tile; i += tile_threads) {
    const int row = i / tile, at = i % tile;
    const bool is_there = row < x.rows && column + at < d;
    to[row][at] = is_there ? widen(x.data[row * x.stride + column + at]) : A{0};
  }
}

// sums[j] = (row r of x) . (row c + 8 j of y).
template <class A, class T>
__device__ inline void tile_products(const Band<T>& x, const Band<T>& y, i64 d, Tile<A>& left, Tile<A>& right,
                                     A (&sums)[own]) {
  const int r = threadIdx.x / tile_lanes, c = threadIdx.x % tile_lanes;
  for (int j = 0; j < own; ++j) sums[j] = 0;
  for (i64 column = 0; column < d; column += tile) {
    load_tile(x, column, d, left);
    load_tile(y, column, d, right);
    __syncthreads();
    for (int i = 0; i < tile; ++i) {
      for (int j = 0; j < own; ++j) sums[j] = std::fma(left[r][i], right[c + tile_lanes * j][i], sums[j]);
    }
    __syncthreads();
  }
}

// sums[.] += sum over i in [begin, end) of weights[r][i] * (row i of x), for the columns of this thread in the slice.
template <class A, class T>
__device__ inline void tile_add(const Tile<A>& weights, int begin, int end, const Band<T>& x, i64 first_column, i64 d,
                                Tile<A>& values, A (&sums)[slice_tiles * own]) {
  const int r = threadIdx.x / tile_lanes, c = threadIdx.x % tile_lanes;
#pragma unroll
  for (int part = 0; part < slice_tiles; ++part) {
    if (first_column + part * tile >= d) continue;
    load_tile(x, first_column + part * tile, d, values);
    __syncthreads();
    for (int i = begin; i < end; ++i) {
      for (int j = 0; j < own; ++j) {
        sums[part * own + j] = std::fma(weights[r][i], values[i][c + tile_lanes * j], sums[part * own + j]);
      }
    }
    __syncthreads();
  }
}

// Writes this thread's columns of row r, divided by `over`.
template <class A, class T>
__device__ inline void store_slice(const A (&sums)[slice_tiles * own], A over, T* row, i64 first_column, i64 d) {
  const int c = threadIdx.x % tile_lanes;
#pragma unroll
  for (int k = 0; k < slice_tiles * own; ++k) {
    const i64 column = first_column + k / own * tile + c + tile_lanes * (k % own);
    if (column < d) row[column] = narrow<T>(sums[k] / over);
  }
}

// `limit` within a tile that begins at `first`.
__device__ inline int within_tile(i64 limit, i64 first) {
  const i64 n = limit - first;
  return n < 0 ? 0 : n < tile ? static_cast<int>(n) : tile;
}

}  // namespace plumb::cuda
