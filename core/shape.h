// Shapes and strides: at most six dimensions, held inline. A dimension of zero is legal.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/errors.h"

namespace plumb {

inline constexpr int max_dims = 6;

// A short list of integers: a shape, strides (in elements), or axes.
class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<std::int64_t> values) {
    for (const auto v : values) push_back(v);
  }
  static Dims filled(int n, std::int64_t value) {
    Dims d;
    for (int i = 0; i < n; ++i) d.push_back(value);
    return d;
  }

  int size() const { return n_; }
  bool empty() const { return n_ == 0; }
  std::int64_t& operator[](int i) { return v_[static_cast<std::size_t>(i)]; }
  std::int64_t operator[](int i) const { return v_[static_cast<std::size_t>(i)]; }
  std::int64_t back() const { return v_[static_cast<std::size_t>(n_ - 1)]; }
  const std::int64_t* begin() const { return v_.data(); }
  const std::int64_t* end() const { return v_.data() + n_; }
  std::int64_t* begin() { return v_.data(); }
  std::int64_t* end() { return v_.data() + n_; }

  void push_back(std::int64_t v) {
    if (n_ == max_dims) throw UserError(fmt::format("a tensor has at most {} dimensions", max_dims));
    v_[static_cast<std::size_t>(n_++)] = v;
  }
  void insert(int at, std::int64_t v) {
    push_back(v);
    std::rotate(begin() + at, end() - 1, end());
  }
  void erase(int at) {
    std::copy(begin() + at + 1, end(), begin() + at);
    --n_;
  }
  friend bool operator==(const Dims& a, const Dims& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

 private:
  std::array<std::int64_t, max_dims> v_{};
  int n_ = 0;
};

using Shape = Dims;
using Strides = Dims;

std::int64_t numel(const Shape& shape);           // product; 1 for a scalar
Strides row_major(const Shape& shape);            // strides of a contiguous tensor
std::string to_string(const Dims& dims);          // "[4,3]"
int axis_of(const char* op, int axis, int dims);  // resolves negative axes, or throws naming the operator
Shape broadcast_shapes(const char* op, const Shape& a,
                       const Shape& b);  // or "[op] shapes [4,3] and [2,3] do not broadcast"

}  // namespace plumb
