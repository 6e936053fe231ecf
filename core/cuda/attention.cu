// Causal attention, forward: online softmax over tiles of keys.
#include <limits>

#include "core/cuda/attention.h"

namespace plumb::cuda {
namespace {

template <class A>
struct Statistics {
  A *log_sum_exp, *max_logit, *entropy;  // the last two may be null
};

// What a thread knows of its row. `lane_*` cover its own columns alone, the others the whole row.
template <class A>
struct RowState {
  A highest = -std::numeric_limits<A>::infinity(), sum = 0;
  A lane_logit = -std::numeric_limits<A>::infinity(), lane_sum = 0,
    lane_spread = 0;  // of p (z - highest); of -w log w for squared_relu
};

// Turns the logits of a tile into weights in `weights`; returns what earlier results must be multiplied by.
template <class A>
__device__ A softmax_tile(const A (&z)[own], int limit, Tile<A>& weights, RowState<A>& row) {
  const int r = threadIdx.x / tile_lanes, c = threadIdx.x % tile_lanes;
  for (int j = 0; j < own; ++j) weights[r][c + tile_lanes * j] = z[j];
  __syncthreads();
  A highest = row.highest;
  for (int i = 0; i < limit; ++i) highest = Larger{}(highest, weights[r][i]);
  __syncthreads();
  const bool is_first = row.highest == -std::numeric_limits<A>::infinity();
  const A keep = limit == 0 ? A{1} : is_first ? A{0} : std::exp(row.highest - highest);
  if (!is_first) row.lane_spread = keep * (row.lane_spread + (row.highest - highest) * row.lane_sum);
  row.lane_sum *= keep;
  for (int j = 0; j < own; ++j) {
    const int i = c + tile_lanes * j;
    const A p = i < limit ? std::exp(z[j] - highest) : A{0};
    weights[r][i] = p;
    row.lane_sum += p;
    if (p > 0) row.lane_spread += p * (z[j] - highest);
  }
  __syncthreads();
  A sum = 0;
  for (int i = 0; i < limit; ++i) sum += weights[r][i];
  row.sum = row.sum * keep + sum;
  row.highest = highest;
  return keep;
}

template <class A>
__device__ void squared_relu_tile(const A (&z)[own], int limit, A over_keys, Tile<A>& weights) {
  const int r = threadIdx.x / tile_lanes, c = threadIdx.x % tile_lanes;
  for (int j = 0; j < own; ++j) {
    const int i = c + tile_lanes * j;
    const A positive = relu(z[j]);
    const A w = i < limit ? positive * positive * over_keys : A{0};
    weights[r][i] = w;
  }
  __syncthreads();
}

// The row's statistics, its lanes in order. All threads of the block come here.
template <class A>
__device__ void store_statistics(const RowState<A>& row, bool is_written, bool sees, bool squared_relu, i64 at,
                                 Tile<A>& scratch, const Statistics<A>& to) {
  const int r = threadIdx.x / tile_lanes, c = threadIdx.x % tile_lanes;
  __syncthreads();
  scratch[r][c] = row.lane_logit;
  scratch[r][c + tile_lanes] = row.lane_spread;
  __syncthreads();
  if (!is_written || c != 0) return;
  A logit = scratch[r][0], spread = 0;
  for (int i = 0; i < tile_lanes; ++i) {
    logit = Larger{}(logit, scratch[r][i]);
    spread += scratch[r][i + tile_lanes];
  }
  const A entropy = squared_relu ? A{0} : std::log(row.sum) - spread / row.sum;
  const A log_sum_exp = squared_relu ? A{0} : row.highest + std::log(row.sum);
  if (to.log_sum_exp) to.log_sum_exp[at] = sees ? log_sum_exp : -std::numeric_limits<A>::infinity();
  if (to.max_logit) to.max_logit[at] = logit;
  if (to.entropy) to.entropy[at] = sees ? entropy : A{0};
}

// A block for each (row b, head, tile of queries, slice of head columns).
template <class T>
__global__ void attention_kernel(AttentionShape s, const T* q, const T* k, const T* v, T* out,
                                 Statistics<Compute<T>> statistics) {
  using A = Compute<T>;
  __shared__ Tile<A> left, right, weights;
  i64 block = blockIdx.x;
  const i64 part = block % s.slices, query_tile = (block /= s.slices) % s.query_tiles;
  const i64 head = (block /= s.query_tiles) % s.heads, b = block / s.heads, kv_head = head / (s.heads / s.kv_heads);
  const int r = threadIdx.x / tile_lanes, c = threadIdx.x % tile_lanes;
  const i64 first = query_tile * tile, t = first + r, last = first + tile < s.length ? first + tile : s.length;
  const i64 seen = t < s.length ? s.visible(b, t) : 0, most = s.visible(b, last - 1);
  const Band<T> queries = band(q, s.q, b, first, head, s.length);
  const A scale = static_cast<A>(s.scale), cap = static_cast<A>(s.softcap),
          over_keys = 1 / std::sqrt(static_cast<A>(s.relu_length));
  RowState<A> row;
  A sums[slice_tiles * own] = {}, z[own];
  for (i64 key = 0; key < most; key += tile) {
    tile_products(queries, band(k, s.k, b, key, kv_head, most), s.d, left, right, z);
    const int limit = within_tile(seen, key);
    for (int j = 0; j < own; ++j) {
      const A logit = scale * z[j];
      if (c + tile_lanes * j < limit) row.lane_logit = Larger{}(row.lane_logit, logit);
      z[j] = capped(logit, cap);
    }
    if (s.squared_relu) {
      squared_relu_tile(z, limit, over_keys, weights);
    } else {
      const A keep = softmax_tile(z, limit, weights, row);
      for (A& x : sums) x *= keep;
    }
    tile_add(weights, 0, limit, band(v, s.v, b, key, kv_head, most), part * slice, s.d, left, sums);
  }
  const bool is_real = t < s.length;
  const A over = s.squared_relu || row.sum == 0 ? A{1} : row.sum;
  if (is_real) store_slice(sums, over, out + b * s.out[0] + t * s.out[1] + head * s.out[2], part * slice, s.d);
  store_statistics(row, is_real && part == 0, seen > 0, s.squared_relu, (b * s.heads + head) * s.length + t, weights,
                   statistics);
}

}  // namespace

void CudaBackend::attention(const kernels::Attention& a) {
  const AttentionShape s = shape_of(a);
  visit_floating(a.q.dtype, [&](auto zero) {
    using T = decltype(zero);
    using A = Compute<T>;
    const Statistics<A> statistics{static_cast<A*>(a.log_sum_exp), static_cast<A*>(a.max_logit),
                                   static_cast<A*>(a.entropy)};
    launch(stream(), s.batch * s.heads * s.query_tiles * s.slices, tile_threads, attention_kernel<T>, s,
           static_cast<const T*>(a.q.data), static_cast<const T*>(a.k.data), static_cast<const T*>(a.v.data),
           static_cast<T*>(a.out.data), statistics);
  });
}

}  // namespace plumb::cuda
