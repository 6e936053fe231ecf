// What the row kernels share: strided rows, per-thread scratch, and bf16 rows through f32.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "core/backend.h"

namespace plumb::cpu {

// Memory that only grows, aligned for vectors. One for each thread and purpose: `static thread_local Scratch`.
class Scratch {
 public:
  template <class T>
  T* get(std::int64_t count) {
    const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(count, 1)) * sizeof(T);
    if (bytes > capacity_) {
      data_.reset(static_cast<std::byte*>(::operator new[](bytes, alignment)));
      capacity_ = bytes;
    }
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* p) const { ::operator delete[](p, alignment); }
  };
  std::unique_ptr<std::byte[], Free> data_;
  std::size_t capacity_ = 0;
};

// Rows of a tensor: everything but the last axis.
inline std::int64_t row_count(const Shape& shape) {
  std::int64_t n = 1;
  for (int i = 0; i + 1 < shape.size(); ++i) n *= shape[i];
  return n;
}
inline std::int64_t row_offset(const Raw& x, std::int64_t row) {
  std::int64_t offset = 0;
  for (int i = x.shape.size() - 2; i >= 0; --i) {
    offset += row % x.shape[i] * x.strides[i];
    row /= x.shape[i];
  }
  return offset;
}

// Rounds a size up to whole cache lines, so that rows of scratch stay aligned.
template <class T>
std::int64_t padded(std::int64_t n) {
  constexpr std::int64_t lanes = 64 / sizeof(T);
  return (n + lanes - 1) / lanes * lanes;
}

template <class From, class To>
void convert(const From* from, std::int64_t stride, To* to, std::int64_t to_stride, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<From, Bf16>) to[i * to_stride] = To(static_cast<float>(from[i * stride]));
    else to[i * to_stride] = static_cast<To>(from[i * stride]);
  }
}

// Calls f(float{}) or f(double{}); other dtypes are an error that names the operator.
template <class F>
void visit_float(const char* op, DType t, F&& f) {
  if (t == DType::f64) return f(double{});
  if (t == DType::f32) return f(float{});
  fail(op, "computes in f32 and f64, not in {}.", name_of(t));
}

}  // namespace plumb::cpu
