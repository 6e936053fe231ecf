// Reductions. A sum over n values is cut into chunks of `chunk`; in each, 32 lanes add every 32nd value in order,
// and the lanes are added by halving; partial results are reduced the same way. So the tree depends on n alone.
#include <limits>

#include "core/cuda/backend.h"

namespace plumb::cuda {
namespace {

constexpr int lanes = 32, outputs_a_block = 8;  // 8 outputs, each on the 32 lanes of a warp
constexpr i64 chunk = 4096;

struct Value {  // what is reduced, of a value x
  template <class A>
  __device__ A operator()(A x) const {
    return x;
  }
};
struct Square {
  __device__ double operator()(double x) const { return x * x; }
};

// x is seen as [kept, reduced]; out is [kept, chunks], dense, or the strided result when there is one chunk.
struct Plan {
  Layout<2> kept;     // strides in x, in the result
  Layout<1> reduced;  // strides in x
  i64 chunks = 1;
};

template <class A, class F>
__device__ A lane_tree(A value, A* shared, F f) {  // over the 32 places of this output
  const int lane = threadIdx.x % lanes;
  shared[lane] = value;
  __syncthreads();
  for (int half = lanes / 2; half > 0; half /= 2) {
    if (lane < half) shared[lane] = f(shared[lane], shared[lane + half]);
    __syncthreads();
  }
  return shared[0];
}

template <class T, class A, class O, class F, class Map>
__global__ void reduce_kernel(Plan p, const T* x, O* out, bool strided, A zero, F f, Map map) {
  __shared__ A shared[lanes * outputs_a_block];
  const i64 item = static_cast<i64>(blockIdx.x) * outputs_a_block + threadIdx.x / lanes;
  const bool is_real = item < p.kept.count * p.chunks;
  const i64 row = is_real ? item / p.chunks : 0, part = is_real ? item % p.chunks : 0;
  const auto base = offsets_of(p.kept, row);
  const i64 begin = part * chunk,
            end = is_real ? (begin + chunk < p.reduced.count ? begin + chunk : p.reduced.count) : begin;
  i64 i = begin + threadIdx.x % lanes;
  A sum = zero;
  if (i < end) {
    sum = map(static_cast<A>(widen(x[base.at[0] + offsets_of(p.reduced, i).at[0]])));
    for (i += lanes; i < end; i += lanes) {
      sum = f(sum, map(static_cast<A>(widen(x[base.at[0] + offsets_of(p.reduced, i).at[0]]))));
    }
  }
  sum = lane_tree(sum, shared + threadIdx.x / lanes * lanes, f);
  if (is_real && threadIdx.x % lanes == 0) out[strided ? base.at[1] : item] = narrow<O>(sum);
}

// Reduces to [kept] through as many rounds as n needs. `zero` is what a lane without values brings: neutral for f.
template <class T, class A, class O, class F, class Map>
void reduce_all(cudaStream_t stream, Plan p, const T* x, O* out, A zero, F f, Map map) {
  const i64 n = p.reduced.count;
  p.chunks = n <= chunk ? 1 : (n + chunk - 1) / chunk;
  const i64 items = p.kept.count * p.chunks, blocks = (items + outputs_a_block - 1) / outputs_a_block;
  constexpr int threads = lanes * outputs_a_block;
  if (p.chunks == 1) {
    launch(stream, blocks, threads, reduce_kernel<T, A, O, F, Map>, p, x, out, true, zero, f, map);
    return;
  }
  const Scratch partial(items * i64{sizeof(A)}, stream, "reduce");
  launch(stream, blocks, threads, reduce_kernel<T, A, A, F, Map>, p, x, partial.as<A>(), false, zero, f, map);
  Plan next = p;  // rows of `chunks` partial results
  i64 rest = p.chunks;
  for (int d = p.kept.dims - 1; d >= 0; --d) {
    next.kept.stride[0][d] = rest;
    rest *= p.kept.size[d];
  }
  next.reduced = Layout<1>{1, p.chunks, {p.chunks}, {{1}}};
  reduce_all<A, A, O, F, Value>(stream, next, partial.as<A>(), out, zero, f, Value{});
}

Plan plan_of(const Raw& x, const Raw& out) {
  Shape kept, reduced;
  Strides kept_x, kept_out, reduced_x;
  for (int d = 0; d < x.shape.size(); ++d) {
    if (out.shape[d] == x.shape[d]) {
      kept.push_back(x.shape[d]);
      kept_x.push_back(x.strides[d]);
      kept_out.push_back(out.strides[d]);
    } else {
      reduced.push_back(x.shape[d]);
      reduced_x.push_back(x.strides[d]);
    }
  }
  Plan p;
  p.kept = layout_of<2>(kept, {&kept_x, &kept_out});
  p.reduced = layout_of<1>(reduced, {&reduced_x});
  return p;
}

template <class A>
A lowest() {
  if constexpr (std::is_integral_v<A>) return std::numeric_limits<A>::min();
  else return -std::numeric_limits<A>::infinity();
}
template <class A>
A highest() {
  if constexpr (std::is_integral_v<A>) return std::numeric_limits<A>::max();
  else return std::numeric_limits<A>::infinity();
}

}  // namespace

void CudaBackend::reduce(kernels::Reduce op, const Raw& x, const Raw& out) {
  const Plan p = plan_of(x, out);
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    using A = Sum<T>;
    const auto* from = static_cast<const T*>(x.data);
    const auto run = [&](auto* to) {
      switch (op) {
        case kernels::Reduce::sum: return reduce_all(stream(), p, from, to, A{}, Add{}, Value{});
        case kernels::Reduce::max: return reduce_all(stream(), p, from, to, lowest<A>(), Larger{}, Value{});
        case kernels::Reduce::min: return reduce_all(stream(), p, from, to, highest<A>(), Smaller{}, Value{});
      }
    };
    if (std::is_integral_v<T> && out.dtype == DType::i64) run(static_cast<i64*>(out.data));
    else run(static_cast<T*>(out.data));
  });
}

double CudaBackend::sum_of_squares(const Raw& x) {
  Plan p;
  p.reduced = layout_of<1>(x.shape, {&x.strides});
  const Scratch result = scratch(sizeof(double), "sum_of_squares");
  visit_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    reduce_all(stream(), p, static_cast<const T*>(x.data), result.as<double>(), 0.0, Add{}, Square{});
  });
  double sum = 0;
  to_host(&sum, result.as(), sizeof sum);
  return sum;
}

}  // namespace plumb::cuda
