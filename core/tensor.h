// Tensor: a typed, strided window on shared memory of one device. A value: copying one copies the handle.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/storage.h"

namespace plumb {

class Tensor {
 public:
  Tensor() = default;

  // Making. `what` names the asker in an out-of-memory error.
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = cpu_device,
                      const char* what = "tensor");
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = cpu_device);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32, Device device = cpu_device);
  static Tensor scalar(double value, DType dtype = DType::f32, Device device = cpu_device) {
    return full({}, value, dtype, device);
  }
  static Tensor arange(std::int64_t n, DType dtype = DType::i64, Device device = cpu_device);
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape) {
    return from_bytes(values.data(), static_cast<std::int64_t>(values.size()), shape, dtype_of<T>);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static Tensor of(std::initializer_list<T> values) {  // one dimension
    return from(std::span<const T>(values.begin(), values.size()), {static_cast<std::int64_t>(values.size())});
  }

  bool defined() const { return static_cast<bool>(storage_); }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_->device(); }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }
  int dim() const { return shape_.size(); }
  std::int64_t size(int axis) const { return shape_[axis_of("size", axis, dim())]; }
  std::int64_t numel() const { return plumb::numel(shape_); }
  bool is_contiguous() const;
  const StoragePtr& storage() const { return storage_; }
  std::int64_t offset() const { return offset_; }  // elements from the start of the storage

  void* raw() const {
    return static_cast<std::byte*>(storage_->data()) + offset_ * static_cast<std::int64_t>(size_of(dtype_));
  }
  Raw view() const { return {raw(), dtype_, shape_, strides_}; }
  template <class T>
  T* data() const {  // host memory of dtype T; Bug otherwise
    PLUMB_ASSERT(dtype_of<T> == dtype_ && device().kind == DeviceKind::cpu);
    return static_cast<T*>(raw());
  }
  double item() const;  // the only element, as a double
  template <class T>
  std::vector<T> to_vector() const {  // row-major copy on the host, converted to T
    const Tensor t = to(dtype_of<T>).to(cpu_device).contiguous();
    const T* p = t.data<T>();
    return std::vector<T>(p, p + t.numel());
  }

  // Views: never copy.
  Tensor view_as(const Shape& shape, const Strides& strides,
                 std::int64_t offset_elements) const;  // offset from this view
  Tensor transpose(int a, int b) const;
  Tensor permute(const Dims& axes) const;
  Tensor slice(int axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1) const;
  Tensor select(int axis, std::int64_t index) const;  // drops the axis
  Tensor unsqueeze(int axis) const;
  Tensor squeeze(int axis) const;
  Tensor expand(const Shape& shape) const;
  bool can_view(const Shape& shape) const;
  // A view where strides allow, else a copy. One size may be -1.
  Tensor reshape(const Shape& shape) const;

  // Copies.
  Tensor contiguous() const;  // itself when it is
  Tensor clone() const;
  Tensor to(DType dtype) const;    // itself when it is of that dtype
  Tensor to(Device device) const;  // itself when it is there

  // In place; raise the storage's version, so that a saved tensor that changed is noticed. For the optimiser and fresh buffers.
  void fill_(double value);
  void copy_(const Tensor& from);  // broadcasts, converts
  void add_(const Tensor& x);      // same shape and dtype

 private:
  static Tensor from_bytes(const void* values, std::int64_t count, const Shape& shape, DType dtype);
  StoragePtr storage_;
  std::int64_t offset_ = 0;
  Shape shape_;
  Strides strides_;
  DType dtype_ = DType::f32;
};

bool same_bits(const Tensor& a, const Tensor& b);  // shape, dtype and every bit
std::string to_string(const Tensor& t);            // shape, dtype and a few values
inline Backend& backend_of(const Tensor& t) { return backend(t.device()); }

}  // namespace plumb
