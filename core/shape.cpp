// Arithmetic on shapes.
#include "core/shape.h"

namespace plumb {

std::int64_t numel(const Shape& shape) {
  std::int64_t n = 1;
  for (const auto d : shape) n *= d;
  return n;
}

Strides row_major(const Shape& shape) {
  Strides s = shape;
  std::int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    s[i] = step;
    step *= std::max<std::int64_t>(shape[i], 1);
  }
  return s;
}

std::string to_string(const Dims& dims) {
  std::string text = "[";
  for (int i = 0; i < dims.size(); ++i) text += (i ? "," : "") + std::to_string(dims[i]);
  return text + "]";
}

int axis_of(const char* op, int axis, int dims) {
  const int resolved = axis < 0 ? axis + dims : axis;
  if (resolved < 0 || resolved >= dims) fail(op, "axis {} does not exist in a tensor of {} dimensions", axis, dims);
  return resolved;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  Shape out = a.size() >= b.size() ? a : b;
  const Shape& other = a.size() >= b.size() ? b : a;
  const int shift = out.size() - other.size();
  for (int i = 0; i < other.size(); ++i) {
    auto& d = out[i + shift];
    if (d == 1) d = other[i];
    else if (other[i] != 1 && other[i] != d) fail(op, "shapes {} and {} do not broadcast", to_string(a), to_string(b));
  }
  return out;
}

}  // namespace plumb
