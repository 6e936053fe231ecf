// Indexing. What is added to one place is added by one thread, in order of position.
#include "core/cuda/backend.h"
#include "core/cuda/sort.h"

namespace plumb::cuda {
namespace {

// Items have the shape of the index; operands: x (its stride along the axis 0: the index says where), index, out.
template <class T>
__global__ void gather_kernel(Layout<3> l, i64 step, const T* x, const i64* index, T* out) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) {
    const auto o = offsets_of(l, i);
    out[o.at[2]] = x[o.at[0] + index[o.at[1]] * step];
  }
}

// A thread for each line along the axis.
template <class T>
__global__ void scatter_add_kernel(Layout<3> l, i64 n, i64 index_step, i64 x_step, i64 out_step, const i64* index,
                                   const T* x, T* out) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) {
    const auto o = offsets_of(l, i);
    for (i64 k = 0; k < n; ++k) {
      T& place = out[o.at[2] + index[o.at[0] + k * index_step] * out_step];
      place = narrow<T>(widen(place) + widen(x[o.at[1] + k * x_step]));
    }
  }
}

__global__ void out_of_range_kernel(Layout<1> l, const i64* index, i64 low, i64 high, int* found) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) {
    const i64 v = index[offsets_of(l, i).at[0]];
    if (v < low || v >= high) *found = 1;  // whoever writes, writes 1
  }
}

struct AddToRows {
  i64 runs, n, d;
  i64 x_stride[3], table_stride[3];
};

// `order` sorts the positions of a run by target row: the first position of each target adds up all of them.
template <class T>
__global__ void add_to_rows_kernel(AddToRows a, const i64* index, const i64* order, const T* x, T* table) {
  const i64 count = a.runs * a.n * a.d;
  for (i64 i = first_item(); i < count; i += all_threads()) {
    const i64 column = i % a.d, at = i / a.d % a.n, run = i / a.d / a.n;
    const i64 *target = index + run * a.n, *sorted = order + run * a.n;
    const i64 row = target[sorted[at]];
    if (at > 0 && target[sorted[at - 1]] == row) continue;
    T& place = table[run * a.table_stride[0] + row * a.table_stride[1] + column * a.table_stride[2]];
    Compute<T> sum = widen(place);
    for (i64 k = at; k < a.n && target[sorted[k]] == row; ++k) {
      sum += widen(x[run * a.x_stride[0] + sorted[k] * a.x_stride[1] + column * a.x_stride[2]]);
    }
    place = narrow<T>(sum);
  }
}

template <class F>
void visit_size(std::size_t size, F&& f) {  // a type of that many bytes: moving needs no meaning
  switch (size) {
    case 8: return f(std::uint64_t{});
    case 4: return f(std::uint32_t{});
    case 2: return f(std::uint16_t{});
    default: return f(std::uint8_t{});
  }
}

void gather_along(cudaStream_t stream, const Raw& x, const Strides& x_strides, i64 step, const Raw& index,
                  const Strides& index_strides, const Raw& out) {
  const auto l = layout_of<3>(out.shape, {&x_strides, &index_strides, &out.strides});
  visit_size(size_of(x.dtype), [&](auto zero) {
    using T = decltype(zero);
    launch_over(stream, l.count, gather_kernel<T>, l, step, static_cast<const T*>(x.data),
                static_cast<const i64*>(index.data), static_cast<T*>(out.data));
  });
}

}  // namespace

void CudaBackend::gather(const Raw& x, const Raw& index, int axis, const Raw& out) {
  Strides strides = x.strides;
  strides[axis] = 0;
  gather_along(stream(), x, strides, x.strides[axis], index, index.strides, out);
}

void CudaBackend::take_rows(const Raw& table, const Raw& index, const Raw& out) {
  const Strides rows{table.strides[0], 0, table.strides[2]}, positions{index.strides[0], index.strides[1], 0};
  gather_along(stream(), table, rows, table.strides[1], index, positions, out);
}

void CudaBackend::scatter_add(const Raw& index, const Raw& x, int axis, const Raw& out) {
  Shape shape = x.shape;
  const i64 n = shape[axis];
  shape[axis] = 1;
  const auto l = layout_of<3>(shape, {&index.strides, &x.strides, &out.strides});
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_over(stream(), l.count, scatter_add_kernel<T>, l, n, index.strides[axis], x.strides[axis], out.strides[axis],
                static_cast<const i64*>(index.data), static_cast<const T*>(x.data), static_cast<T*>(out.data));
  });
}

void CudaBackend::add_to_rows(const Raw& index, const Raw& x, const Raw& table) {
  AddToRows a{index.shape[0], index.shape[1], x.shape[2], {}, {}};
  for (int d = 0; d < 3; ++d) {
    a.x_stride[d] = x.strides[d];
    a.table_stride[d] = table.strides[d];
  }
  const i64 count = a.runs * a.n;
  if (count * a.d == 0) return;
  const Scratch target = scratch(count * i64{sizeof(i64)}, "add_to_rows"),
                order = scratch(count * i64{sizeof(i64)}, "add_to_rows");
  copy(index, contiguous(target.as(), DType::i64, index.shape));
  sort_rows(stream(), target.as(), DType::i64, a.runs, a.n, false, order.as<i64>());
  visit_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_over(stream(), count * a.d, add_to_rows_kernel<T>, a, target.as<const i64>(), order.as<const i64>(),
                static_cast<const T*>(x.data), static_cast<T*>(table.data));
  });
}

bool CudaBackend::index_in_range(const Raw& index, std::int64_t low, std::int64_t high) {
  const Scratch found = scratch(sizeof(int), "index_in_range");
  check(cudaMemsetAsync(found.as(), 0, sizeof(int), stream()), "cudaMemsetAsync");
  const auto l = layout_of<1>(index.shape, {&index.strides});
  launch_over(stream(), l.count, out_of_range_kernel, l, static_cast<const i64*>(index.data), low, high,
              found.as<int>());
  int any = 0;
  to_host(&any, found.as(), sizeof any);
  return any == 0;
}

}  // namespace plumb::cuda
