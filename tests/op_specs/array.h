// Plain arrays of doubles: what the references of the operator specs compute with.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/tensor.h"

namespace plumb::specs {

struct Array {
  Shape shape;
  std::vector<double> values;

  Array() = default;
  explicit Array(const Shape& s, double fill = 0) : shape(s), values(static_cast<std::size_t>(numel(s)), fill) {}
  explicit Array(const Tensor& t) : shape(t.shape()), values(t.to_vector<double>()) {}

  std::int64_t size(int axis) const { return shape[axis < 0 ? axis + shape.size() : axis]; }
  std::int64_t count() const { return static_cast<std::int64_t>(values.size()); }
  double& operator[](std::int64_t i) { return values[static_cast<std::size_t>(i)]; }
  double operator[](std::int64_t i) const { return values[static_cast<std::size_t>(i)]; }

  double& at(const Dims& index) { return values[offset(index)]; }
  double at(const Dims& index) const { return values[offset(index)]; }
  template <class... I>
  double& operator()(I... i) {
    return at(Dims{static_cast<std::int64_t>(i)...});
  }
  template <class... I>
  double operator()(I... i) const {
    return at(Dims{static_cast<std::int64_t>(i)...});
  }

 private:
  std::size_t offset(const Dims& index) const {
    std::int64_t o = 0;
    for (int k = 0; k < shape.size(); ++k) o = o * shape[k] + index[k];
    return static_cast<std::size_t>(o);
  }
};

// Calls f(index) for every index of a shape, row-major.
template <class F>
void for_each_index(const Shape& shape, F&& f) {
  if (numel(shape) == 0) return;
  Dims i = Dims::filled(shape.size(), 0);
  while (true) {
    f(static_cast<const Dims&>(i));
    int axis = shape.size() - 1;
    while (axis >= 0 && ++i[axis] == shape[axis]) i[axis--] = 0;
    if (axis < 0) return;
  }
}

// The entry of x that broadcasting shows at `index` of a larger shape.
inline Dims broadcast_index(const Shape& x, const Dims& index) {
  Dims i;
  const int shift = index.size() - x.size();
  for (int k = 0; k < x.size(); ++k) i.push_back(x[k] == 1 ? 0 : index[k + shift]);
  return i;
}

// out[index] = f(index) for every index.
template <class F>
Array build(const Shape& shape, F&& f) {
  Array out(shape);
  for_each_index(shape, [&](const Dims& i) { out.at(i) = f(i); });
  return out;
}

inline double dot(std::int64_t n, const std::function<double(std::int64_t)>& term) {
  long double total = 0;
  for (std::int64_t i = 0; i < n; ++i) total += term(i);
  return static_cast<double>(total);
}

}  // namespace plumb::specs
