// The same checks for every device: CPU, emulated CUDA or the real thing, against plain loops in double.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/backend.h"

namespace plumb::test {

std::vector<Backend*> devices_under_test();  // devices.cpp; empty, saying why, where there is none

using Values = std::vector<double>;

// A tensor on a device, filled from doubles. `strides` describe the window; memory covers what they reach.
class Array {
 public:
  Array(Backend& device, DType dtype, const Shape& shape, const Values& values)
      : Array(device, dtype, shape, row_major(shape), values) {}
  // values: what lies in memory, in order of address.
  Array(Backend& device, DType dtype, const Shape& shape, const Strides& strides, const Values& memory)
      : device_(device),
        dtype_(dtype),
        shape_(shape),
        strides_(strides),
        count_(memory.size()),
        bytes_((memory.size() + 1) * size_of(dtype)) {
    std::vector<std::byte> host(bytes_);
    visit_dtype(dtype, [&](auto zero) {
      using T = decltype(zero);
      auto* p = reinterpret_cast<T*>(host.data());
      for (std::size_t i = 0; i < memory.size(); ++i) {
        if constexpr (std::is_same_v<T, Bf16>) p[i] = Bf16(static_cast<float>(memory[i]));
        else p[i] = static_cast<T>(memory[i]);
      }
    });
    data_ = device.allocate(bytes_);
    device.from_host(data_, host.data(), bytes_);
  }
  ~Array() { device_.release(data_, bytes_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  Raw raw() const { return {data_, dtype_, shape_, strides_}; }
  void* data() const { return data_; }
  Values memory() const {  // in order of address
    std::vector<std::byte> host(bytes_);
    device_.to_host(host.data(), data_, bytes_);
    Values out(count_);
    visit_dtype(dtype_, [&](auto zero) {
      using T = decltype(zero);
      const auto* p = reinterpret_cast<const T*>(host.data());
      for (std::size_t i = 0; i < count_; ++i) {
        if constexpr (std::is_same_v<T, Bf16>) out[i] = static_cast<float>(p[i]);
        else out[i] = static_cast<double>(p[i]);
      }
    });
    return out;
  }
  Values values() const {  // row-major, through the strides
    const Values all = memory();
    Values out;
    for (std::int64_t i = 0; i < numel(shape_); ++i) {
      std::int64_t rest = i, at = 0;
      for (int d = shape_.size() - 1; d >= 0; --d) {
        at += rest % shape_[d] * strides_[d];
        rest /= shape_[d];
      }
      out.push_back(all[static_cast<std::size_t>(at)]);
    }
    return out;
  }

 private:
  Backend& device_;
  DType dtype_;
  Shape shape_;
  Strides strides_;
  std::size_t count_, bytes_;
  void* data_ = nullptr;
};

inline Values normals(std::int64_t n, unsigned seed, double scale = 1) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal(0, scale);
  Values v(static_cast<std::size_t>(n));
  for (auto& x : v) x = static_cast<float>(normal(generator));  // exact in f32 too
  return v;
}
inline Values integers(std::int64_t n, unsigned seed, std::int64_t low, std::int64_t high) {  // low <= x < high
  std::mt19937_64 generator(seed);
  Values v(static_cast<std::size_t>(n));
  for (auto& x : v)
    x = static_cast<double>(low + static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(high - low)));
  return v;
}
inline Values zeros(std::int64_t n) { return Values(static_cast<std::size_t>(n)); }

// |got - want| <= tolerance (1 + |want|), NaN and infinities alike.
inline void expect_close(const Values& got, const Values& want, double tolerance, const std::string& what = "") {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i]) && std::isnan(got[i])) continue;
    if (got[i] == want[i]) continue;
    ASSERT_LE(std::abs(got[i] - want[i]), tolerance * (1 + std::abs(want[i])))
        << what << ", element " << i << ": " << got[i] << " for " << want[i];
  }
}

inline double tolerance_of(DType t) { return t == DType::f64 ? 1e-12 : t == DType::f32 ? 2e-6 : 8e-3; }
inline constexpr DType floats[] = {DType::f64, DType::f32, DType::bf16};
inline double rounded(double x, DType t) {  // to the dtype
  return t == DType::f64   ? x
         : t == DType::f32 ? static_cast<float>(x)
                           : static_cast<float>(Bf16(static_cast<float>(x)));
}
inline Values rounded(Values v, DType t) {
  for (auto& x : v) x = rounded(x, t);
  return v;
}

// The same call twice: the same bits.
inline void expect_same_bits(const std::function<void()>& call, const std::vector<const Array*>& outputs) {
  std::vector<Values> first;
  for (const Array* out : outputs) first.push_back(out->values());
  call();
  for (std::size_t k = 0; k < outputs.size(); ++k) EXPECT_EQ(outputs[k]->values(), first[k]);
}

class OnDevices : public ::testing::Test {
 protected:
  void each(const std::function<void(Backend&)>& check) {
    const auto devices = devices_under_test();
    if (devices.empty()) GTEST_SKIP() << "no CUDA device: " << why_unavailable({DeviceKind::cuda, 0});
    for (Backend* device : devices) {
      SCOPED_TRACE(device->describe());
      check(*device);
    }
  }
};

}  // namespace plumb::test
