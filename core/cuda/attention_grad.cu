// Causal attention, backward: one kernel for dq (a block for each tile of queries), one for dk and dv (a block for each
// tile of keys, which walks its query heads and their queries in order). Logits are computed again, tile by tile.
#include "core/cuda/attention.h"

namespace plumb::cuda {
namespace {

template <class T>
struct Gradient {
  const T *q, *k, *v, *out, *dout;
  const Compute<T>* log_sum_exp;
  Compute<T>* along;  // [B, H, T]: dout . out
  T *dq, *dk, *dv;
  i64 dout_stride[4], dq_stride[4], dk_stride[4], dv_stride[4];
};

// along[b, h, t] = dout . out: a block of 32 threads for each row.
template <class T>
__global__ void along_kernel(AttentionShape s, Gradient<T> g) {
  using A = Compute<T>;
  __shared__ A shared[32];
  const i64 t = blockIdx.x % s.length, head = blockIdx.x / s.length % s.heads, b = blockIdx.x / s.length / s.heads;
  const T* y = g.out + b * s.out[0] + t * s.out[1] + head * s.out[2];
  const T* dy = g.dout + b * g.dout_stride[0] + t * g.dout_stride[1] + head * g.dout_stride[2];
  A sum = 0;
  for (i64 i = threadIdx.x; i < s.d; i += blockDim.x) sum = std::fma(widen(y[i]), widen(dy[i]), sum);
  sum = block_tree(sum, shared, Add{});
  if (threadIdx.x == 0) g.along[blockIdx.x] = sum;
}

template <class A>
struct Weight {
  A weight, dlogit;  // of q . k
};

// From q . k and dout . v of one pair.
template <class A>
__device__ Weight<A> weight_of(const AttentionShape& s, A product, A dweight, A log_sum_exp, A along) {
  const A scale = static_cast<A>(s.scale), cap = static_cast<A>(s.softcap), z = capped(scale * product, cap);
  const A slope = capped_slope(z, cap) * scale;
  if (s.squared_relu) {
    const A over_keys = 1 / std::sqrt(static_cast<A>(s.relu_length)), positive = relu(z);
    return {positive * positive * over_keys, dweight * 2 * positive * over_keys * slope};
  }
  const A p = std::exp(z - log_sum_exp);
  return {p, p * (dweight - along) * slope};
}

template <class T>
__global__ void query_grad_kernel(AttentionShape s, Gradient<T> g) {
  using A = Compute<T>;
  __shared__ Tile<A> left, right, weights;
  i64 block = blockIdx.x;
  const i64 part = block % s.slices, query_tile = (block /= s.slices) % s.query_tiles;
  const i64 head = (block /= s.query_tiles) % s.heads, b = block / s.heads, kv_head = head / (s.heads / s.kv_heads);
  const int r = threadIdx.x / tile_lanes, c = threadIdx.x % tile_lanes;
  const i64 first = query_tile * tile, t = first + r, last = first + tile < s.length ? first + tile : s.length;
  const bool is_real = t < s.length;
  const i64 seen = is_real ? s.visible(b, t) : 0, most = s.visible(b, last - 1),
            row = (b * s.heads + head) * s.length + t;
  const A log_sum_exp = is_real && !s.squared_relu ? g.log_sum_exp[row] : A{0}, along = is_real ? g.along[row] : A{0};
  const Band<T> queries = band(g.q, s.q, b, first, head, s.length),
                dout = band(g.dout, g.dout_stride, b, first, head, s.length);
  A sums[slice_tiles * own] = {}, products[own], dweights[own];
  for (i64 key = 0; key < most; key += tile) {
    const Band<T> keys = band(g.k, s.k, b, key, kv_head, most);
    tile_products(queries, keys, s.d, left, right, products);
    tile_products(dout, band(g.v, s.v, b, key, kv_head, most), s.d, left, right, dweights);
    const int limit = within_tile(seen, key);
    for (int j = 0; j < own; ++j) {
      const int i = c + tile_lanes * j;
      weights[r][i] = i < limit ? weight_of(s, products[j], dweights[j], log_sum_exp, along).dlogit : A{0};
    }
    __syncthreads();
    tile_add(weights, 0, limit, keys, part * slice, s.d, left, sums);
  }
  if (is_real) {
    store_slice(sums, A{1}, g.dq + b * g.dq_stride[0] + t * g.dq_stride[1] + head * g.dq_stride[2], part * slice, s.d);
  }
}

template <class T>
__global__ void key_grad_kernel(AttentionShape s, Gradient<T> g) {
  using A = Compute<T>;
  __shared__ Tile<A> left, right, weights, dlogits;
  i64 block = blockIdx.x;
  const i64 part = block % s.slices, key_tile = (block /= s.slices) % s.key_tiles;
  const i64 kv_head = (block /= s.key_tiles) % s.kv_heads, b = block / s.kv_heads, group = s.heads / s.kv_heads;
  const int r = threadIdx.x / tile_lanes, c = threadIdx.x % tile_lanes;
  const i64 first = key_tile * tile, key = first + r, all = s.keys_of(b);
  // The first query that sees a key; the tile's first key is seen earliest.
  const auto seen_from = [&](i64 position) {
    const i64 t = s.causal ? position - all + s.length : 0;
    return t < 0 ? 0 : t;
  };
  const i64 own_from = key < all ? seen_from(key) : s.length, tile_from = first < all ? seen_from(first) : s.length;
  const Band<T> keys = band(g.k, s.k, b, first, kv_head, all), values = band(g.v, s.v, b, first, kv_head, all);
  A dk[slice_tiles * own] = {}, dv[slice_tiles * own] = {}, products[own], dweights[own];
  for (i64 head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (i64 query = tile_from / tile * tile; query < s.length; query += tile) {
      const Band<T> queries = band(g.q, s.q, b, query, head, s.length),
                    dout = band(g.dout, g.dout_stride, b, query, head, s.length);
      tile_products(keys, queries, s.d, left, right, products);
      tile_products(values, dout, s.d, left, right, dweights);
      const int begin = within_tile(own_from, query), end = within_tile(s.length, query);
      for (int j = 0; j < own; ++j) {
        const int i = c + tile_lanes * j;
        const i64 row = (b * s.heads + head) * s.length + query + i;
        Weight<A> w{};
        if (i >= begin && i < end)
          w = weight_of(s, products[j], dweights[j], s.squared_relu ? A{0} : g.log_sum_exp[row], g.along[row]);
        weights[r][i] = w.weight;
        dlogits[r][i] = w.dlogit;
      }
      __syncthreads();
      tile_add(weights, begin, end, dout, part * slice, s.d, left, dv);
      tile_add(dlogits, begin, end, queries, part * slice, s.d, left, dk);
    }
  }
  if (key >= s.keys) return;
  store_slice(dk, A{1}, g.dk + b * g.dk_stride[0] + key * g.dk_stride[1] + kv_head * g.dk_stride[2], part * slice, s.d);
  store_slice(dv, A{1}, g.dv + b * g.dv_stride[0] + key * g.dv_stride[1] + kv_head * g.dv_stride[2], part * slice, s.d);
}

template <class T>
Gradient<T> gradient_of(const kernels::AttentionGrad& a, void* along) {
  Gradient<T> g{static_cast<const T*>(a.forward.q.data),
                static_cast<const T*>(a.forward.k.data),
                static_cast<const T*>(a.forward.v.data),
                static_cast<const T*>(a.forward.out.data),
                static_cast<const T*>(a.dout.data),
                static_cast<const Compute<T>*>(a.forward.log_sum_exp),
                static_cast<Compute<T>*>(along),
                static_cast<T*>(a.dq.data),
                static_cast<T*>(a.dk.data),
                static_cast<T*>(a.dv.data),
                {},
                {},
                {},
                {}};
  for (int i = 0; i < 4; ++i) {
    g.dout_stride[i] = a.dout.strides[i];
    g.dq_stride[i] = a.dq.strides[i];
    g.dk_stride[i] = a.dk.strides[i];
    g.dv_stride[i] = a.dv.strides[i];
  }
  return g;
}

}  // namespace

void CudaBackend::attention_grad(const kernels::AttentionGrad& a) {
  const AttentionShape s = shape_of(a.forward);
  visit_floating(a.forward.q.dtype, [&](auto zero) {
    using T = decltype(zero);
    const i64 rows = s.batch * s.heads * s.length;
    const Scratch along = scratch(rows * i64{sizeof(Compute<T>)}, "attention_grad");
    const Gradient<T> g = gradient_of<T>(a, along.as());
    launch(stream(), rows, 32, along_kernel<T>, s, g);
    launch(stream(), s.batch * s.heads * s.query_tiles * s.slices, tile_threads, query_grad_kernel<T>, s, g);
    launch(stream(), s.batch * s.kv_heads * s.key_tiles * s.slices, tile_threads, key_grad_kernel<T>, s, g);
  });
}

}  // namespace plumb::cuda
