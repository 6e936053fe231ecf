// Tensors: making, viewing, copying.
#include "core/tensor.h"

#include <cstring>

namespace plumb {
namespace {

void check_shape(const Shape& shape, const char* what) {
  std::int64_t n = 1;
  for (const auto d : shape) {
    if (d < 0) fail(what, "shape {} has a negative size", to_string(shape));
    if (__builtin_mul_overflow(n, std::max<std::int64_t>(d, 1), &n) || n > (std::int64_t{1} << 48))
      throw OutOfMemory(fmt::format("a tensor of shape {} is too large", to_string(shape)), what);
  }
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device, const char* what) {
  check_shape(shape, what);
  Tensor t;
  t.shape_ = shape;
  t.strides_ = row_major(shape);
  t.dtype_ = dtype;
  t.storage_ = allocate_storage(static_cast<std::size_t>(plumb::numel(shape)) * size_of(dtype), device, what);
  return t;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) { return full(shape, 0, dtype, device); }

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  const Tensor t = empty(shape, dtype, device);
  backend(device).fill(t.view(), value);
  return t;
}

Tensor Tensor::arange(std::int64_t n, DType dtype, Device device) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = i;
  return from(values, {n}).to(dtype).to(device);
}

Tensor Tensor::from_bytes(const void* values, std::int64_t count, const Shape& shape, DType dtype) {
  if (count != plumb::numel(shape)) fail("from", "{} values do not fill a tensor of shape {}", count, to_string(shape));
  Tensor t = empty(shape, dtype, cpu_device);
  if (count) std::memcpy(t.raw(), values, static_cast<std::size_t>(count) * size_of(dtype));
  return t;
}

bool Tensor::is_contiguous() const {
  std::int64_t step = 1;
  for (int i = dim() - 1; i >= 0; --i) {
    if (shape_[i] == 0) return true;
    if (shape_[i] != 1 && strides_[i] != step) return false;
    step *= shape_[i];
  }
  return true;
}

double Tensor::item() const {
  if (!defined() || numel() != 1)
    fail("item", "a tensor of shape {} is not a single number", defined() ? to_string(shape_) : "undefined");
  const Tensor host = to(cpu_device);
  return visit_dtype(dtype_, [&](auto zero) -> double {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, Bf16>) return static_cast<float>(*host.data<T>());
    else return static_cast<double>(*host.data<T>());
  });
}

Tensor Tensor::view_as(const Shape& shape, const Strides& strides, std::int64_t offset_elements) const {
  Tensor t = *this;
  t.shape_ = shape;
  t.strides_ = strides;
  t.offset_ += offset_elements;
  return t;
}

Tensor Tensor::transpose(int a, int b) const {
  a = axis_of("transpose", a, dim());
  b = axis_of("transpose", b, dim());
  Tensor t = *this;
  std::swap(t.shape_[a], t.shape_[b]);
  std::swap(t.strides_[a], t.strides_[b]);
  return t;
}

Tensor Tensor::permute(const Dims& axes) const {
  Tensor t = *this;
  if (axes.size() != dim()) fail("permute", "{} axes given for shape {}", axes.size(), to_string(shape_));
  unsigned seen = 0;
  for (int i = 0; i < dim(); ++i) {
    const int a = axis_of("permute", static_cast<int>(axes[i]), dim());
    if (seen & (1u << a)) fail("permute", "axes {} name one twice", to_string(axes));
    seen |= 1u << a;
    t.shape_[i] = shape_[a];
    t.strides_[i] = strides_[a];
  }
  return t;
}

Tensor Tensor::slice(int axis, std::int64_t begin, std::int64_t end, std::int64_t step) const {
  axis = axis_of("slice", axis, dim());
  if (begin < 0 || end < begin || end > shape_[axis] || step < 1)
    fail("slice", "[{}:{}:{}] does not fit axis {} of shape {}", begin, end, step, axis, to_string(shape_));
  Tensor t = *this;
  t.shape_[axis] = (end - begin + step - 1) / step;
  t.offset_ += begin * strides_[axis];
  t.strides_[axis] *= step;
  return t;
}

Tensor Tensor::select(int axis, std::int64_t index) const {
  axis = axis_of("select", axis, dim());
  if (index < -shape_[axis] || index >= shape_[axis])
    fail("select", "index {} is outside axis {} of shape {}", index, axis, to_string(shape_));
  if (index < 0) index += shape_[axis];
  Tensor t = slice(axis, index, index + 1);
  t.shape_.erase(axis);
  t.strides_.erase(axis);
  return t;
}

Tensor Tensor::unsqueeze(int axis) const {
  axis = axis_of("unsqueeze", axis, dim() + 1);
  Tensor t = *this;
  const std::int64_t stride = axis < dim() ? shape_[axis] * strides_[axis] : 1;
  t.shape_.insert(axis, 1);
  t.strides_.insert(axis, stride);
  return t;
}

Tensor Tensor::squeeze(int axis) const {
  axis = axis_of("squeeze", axis, dim());
  if (shape_[axis] != 1) fail("squeeze", "axis {} of shape {} is not of size 1", axis, to_string(shape_));
  return select(axis, 0);
}

Tensor Tensor::expand(const Shape& shape) const {
  if (shape == shape_) return *this;
  if (shape.size() < dim()) fail("expand", "shape {} does not expand to {}", to_string(shape_), to_string(shape));
  Tensor t = *this;
  t.shape_ = shape;
  t.strides_ = Dims::filled(shape.size(), 0);
  const int shift = shape.size() - dim();
  for (int i = 0; i < dim(); ++i) {
    if (shape_[i] == shape[i + shift]) t.strides_[i + shift] = strides_[i];
    else if (shape_[i] != 1) fail("expand", "shape {} does not expand to {}", to_string(shape_), to_string(shape));
  }
  return t;
}

namespace {

// Strides that show a tensor as `shape` without copying; false where there are none.
bool strides_for(const Tensor& t, const Shape& shape, Strides& out) {
  if (t.is_contiguous()) {
    out = row_major(shape);
    return true;
  }
  Shape from;
  Strides steps;  // merged runs of dimensions, size-1 ones dropped
  for (int i = 0; i < t.dim(); ++i) {
    if (t.shape()[i] == 1) continue;
    from.push_back(t.shape()[i]);
    steps.push_back(t.strides()[i]);
  }
  out = Dims::filled(shape.size(), 0);
  int at = from.size() - 1;
  std::int64_t left = at >= 0 ? from[at] : 1, step = at >= 0 ? steps[at] : 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    if (shape[i] == 1) {
      out[i] = step;
      continue;
    }
    while (left % shape[i] != 0 || left == 1) {
      if (at == 0) return false;
      const bool joins = steps[at - 1] == step * left;
      if (left != 1 && !joins) return false;
      --at;
      if (left == 1) {
        left = from[at];
        step = steps[at];
      } else {
        left *= from[at];
      }
    }
    out[i] = step;
    step *= shape[i];
    left /= shape[i];
  }
  return true;
}

Shape resolve(const Shape& wanted, std::int64_t count, const Shape& have) {
  Shape shape = wanted;
  std::int64_t known = 1;
  int open = -1;
  bool fits = true;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && open < 0) open = i;
    else known *= shape[i];
    fits = fits && (shape[i] >= 0 || i == open);
  }
  if (open >= 0) {
    fits = fits && known > 0 && count % known == 0;
    shape[open] = fits ? count / known : 0;
  }
  if (!fits || numel(shape) != count) fail("reshape", "shape {} cannot become {}", to_string(have), to_string(wanted));
  return shape;
}

}  // namespace

bool Tensor::can_view(const Shape& shape) const {
  Strides unused;
  return numel() == 0 || strides_for(*this, resolve(shape, numel(), shape_), unused);
}

Tensor Tensor::reshape(const Shape& wanted) const {
  const Shape shape = resolve(wanted, numel(), shape_);
  if (shape == shape_) return *this;
  Strides strides;
  if (numel() == 0) return view_as(shape, row_major(shape), 0);
  if (strides_for(*this, shape, strides)) return view_as(shape, strides, 0);
  const Tensor packed = clone();
  return packed.view_as(shape, row_major(shape), 0);
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  const Tensor t = empty(shape_, dtype_, device(), "clone");
  backend(device()).copy(view(), t.view());
  return t;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  const Tensor t = empty(shape_, dtype, device(), "conversion");
  backend(device()).copy(view(), t.view());
  return t;
}

Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  const Tensor source = contiguous();
  const Tensor t = empty(shape_, dtype_, device, "transfer");
  const std::size_t bytes = static_cast<std::size_t>(numel()) * size_of(dtype_);
  if (bytes == 0) return t;
  if (device.kind == DeviceKind::cpu) backend(this->device()).to_host(t.raw(), source.raw(), bytes);
  else if (this->device().kind == DeviceKind::cpu) backend(device).from_host(t.raw(), source.raw(), bytes);
  else return to(cpu_device).to(device);
  return t;
}

void Tensor::fill_(double value) {
  backend(device()).fill(view(), value);
  storage_->changed();
}

void Tensor::copy_(const Tensor& from) {
  const Tensor source = from.to(device()).expand(shape_);
  backend(device()).copy(source.view(), view());
  storage_->changed();
}

void Tensor::add_(const Tensor& x) {
  if (x.shape_ != shape_ || x.dtype_ != dtype_)
    fail("add_", "{} {} does not match {} {}", name_of(x.dtype_), to_string(x.shape_), name_of(dtype_),
         to_string(shape_));
  backend(device()).binary(kernels::Binary::add, view(), x.view(), view());
  storage_->changed();
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor x = a.to(cpu_device).contiguous(), y = b.to(cpu_device).contiguous();
  return x.numel() == 0 || std::memcmp(x.raw(), y.raw(), static_cast<std::size_t>(x.numel()) * size_of(x.dtype())) == 0;
}

std::string to_string(const Tensor& t) {
  if (!t.defined()) return "undefined tensor";
  std::string text = fmt::format("{} {} {}", name_of(t.dtype()), to_string(t.shape()), to_string(t.device()));
  const auto values = t.to_vector<double>();
  text += " {";
  for (std::size_t i = 0; i < values.size() && i < 8; ++i) text += fmt::format("{}{:.6g}", i ? ", " : "", values[i]);
  return text + (values.size() > 8 ? ", ...}" : "}");
}

}  // namespace plumb
