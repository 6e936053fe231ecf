// Moving values: fill, copy with conversion, select.
#include "core/cuda/backend.h"

namespace plumb::cuda {
namespace {

template <class T>
__global__ void fill_kernel(Layout<1> l, T value, T* out) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) out[offsets_of(l, i).at[0]] = value;
}

// From double for every narrow source would be slow on devices with few f64 units: each pair converts directly.
template <class S, class T>
__global__ void copy_kernel(Layout<2> l, const S* x, T* out) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) {
    const auto o = offsets_of(l, i);
    out[o.at[1]] = narrow<T>(widen(x[o.at[0]]));
  }
}

// Moves bits, whatever they mean.
template <class T>
__global__ void select_kernel(Layout<4> l, const std::uint8_t* mask, const T* a, const T* b, T* out) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) {
    const auto o = offsets_of(l, i);
    out[o.at[3]] = mask[o.at[0]] ? a[o.at[1]] : b[o.at[2]];
  }
}

template <class T>
T from_double(double value) {
  if constexpr (std::is_same_v<T, Bf16>) return Bf16(static_cast<float>(value));
  else return static_cast<T>(value);
}

}  // namespace

void CudaBackend::fill(const Raw& out, double value) {
  const auto l = layout_of<1>(out.shape, {&out.strides});
  visit_dtype(out.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_over(stream(), l.count, fill_kernel<T>, l, from_double<T>(value), static_cast<T*>(out.data));
  });
}

void CudaBackend::copy(const Raw& x, const Raw& out) {
  const auto l = layout_of<2>(out.shape, {&x.strides, &out.strides});
  if (l.count == 0) return;
  const bool dense = l.dims == 0 || (l.dims == 1 && l.stride[0][0] == 1 && l.stride[1][0] == 1);
  if (x.dtype == out.dtype && dense) {
    const auto bytes = static_cast<std::size_t>(l.count) * size_of(x.dtype);
    check(cudaMemcpyAsync(out.data, x.data, bytes, cudaMemcpyDeviceToDevice, stream()), "copy on the device");
    return;
  }
  visit_dtype(x.dtype, [&](auto from) {
    visit_dtype(out.dtype, [&](auto to) {
      using S = decltype(from);
      using T = decltype(to);
      launch_over(stream(), l.count, copy_kernel<S, T>, l, static_cast<const S*>(x.data), static_cast<T*>(out.data));
    });
  });
}

void CudaBackend::select(const Raw& mask, const Raw& a, const Raw& b, const Raw& out) {
  const auto l = layout_of<4>(out.shape, {&mask.strides, &a.strides, &b.strides, &out.strides});
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    launch_over(stream(), l.count, select_kernel<T>, l, static_cast<const std::uint8_t*>(mask.data),
                static_cast<const T*>(a.data), static_cast<const T*>(b.data), static_cast<T*>(out.data));
  };
  switch (size_of(out.dtype)) {
    case 8: return run(std::uint64_t{});
    case 4: return run(std::uint32_t{});
    case 2: return run(std::uint16_t{});
    default: return run(std::uint8_t{});
  }
}

}  // namespace plumb::cuda
