// Rotary position embedding. Angles are computed in double, once for each position and pair, then used for all heads.
#include <cmath>

#include "core/cuda/backend.h"

namespace plumb::cuda {
namespace {

struct RopeShape {
  i64 batch, length, heads, d, half;
  i64 x_stride[4], out_stride[4];
  double log_base;
  bool inverse;
};

// A thread for each (row, position, column up to d - half): a pair, or a column that stays as it is.
template <class T>
__global__ void rope_kernel(RopeShape s, const i64* start, const T* x, T* out) {
  using A = Compute<T>;
  const i64 items = s.d - s.half, count = s.batch * s.length * items;
  for (i64 i = first_item(); i < count; i += all_threads()) {
    const i64 item = i % items, t = i / items % s.length, b = i / items / s.length;
    const T* from = x + b * s.x_stride[0] + t * s.x_stride[1];
    T* to = out + b * s.out_stride[0] + t * s.out_stride[1];
    if (item >= s.half) {
      const i64 column = item + s.half;
      for (i64 h = 0; h < s.heads; ++h)
        to[h * s.out_stride[2] + column * s.out_stride[3]] = from[h * s.x_stride[2] + column * s.x_stride[3]];
      continue;
    }
    const double speed = std::exp(-(static_cast<double>(item) / static_cast<double>(s.half)) * s.log_base);
    const double angle = static_cast<double>((start ? start[b] : 0) + t) * speed;
    const A c = static_cast<A>(std::cos(angle)), turn = static_cast<A>(std::sin(angle)), sn = s.inverse ? -turn : turn;
    for (i64 h = 0; h < s.heads; ++h) {
      const T *p = from + h * s.x_stride[2] + item * s.x_stride[3], *q = p + s.half * s.x_stride[3];
      T* y = to + h * s.out_stride[2] + item * s.out_stride[3];
      const A u = widen(*p), v = widen(*q);
      y[0] = narrow<T>(u * c - v * sn);
      y[s.half * s.out_stride[3]] = narrow<T>(v * c + u * sn);
    }
  }
}

}  // namespace

void CudaBackend::rope(const kernels::Rope& r) {
  RopeShape s{r.x.shape[0], r.x.shape[1], r.x.shape[2],     r.x.shape[3], r.rotary / 2,
              {},           {},           std::log(r.base), r.inverse};
  for (int d = 0; d < 4; ++d) {
    s.x_stride[d] = r.x.strides[d];
    s.out_stride[d] = r.out.strides[d];
  }
  visit_floating(r.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_over(stream(), s.batch * s.length * (s.d - s.half), rope_kernel<T>, s, r.start,
                static_cast<const T*>(r.x.data), static_cast<T*>(r.out.data));
  });
}

}  // namespace plumb::cuda
