// Random operands, windows on them, and comparisons, for the tests of the row kernels.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/backend.h"
#include "core/parallel.h"

namespace plumb::testing {

template <class T>
std::vector<T> random_values(std::int64_t n, unsigned seed, double scale = 1) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<T> v(static_cast<std::size_t>(n));
  for (auto& x : v) x = static_cast<T>(scale * normal(engine));
  return v;
}

template <class T>
Raw window(std::vector<T>& v, const Shape& shape, std::int64_t offset = 0, const Strides* strides = nullptr) {
  return {v.data() + offset, dtype_of<T>, shape, strides ? *strides : row_major(shape)};
}

template <class T>
constexpr double tolerance = sizeof(T) == 8 ? 1e-12 : 2e-5;

// |a - b| <= tolerance * (1 + |b|) everywhere.
template <class T>
void expect_close(const std::vector<T>& a, const std::vector<double>& b, double by = tolerance<T>) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], by * (1 + std::abs(b[i]))) << "at " << i;
}

// The tables of an operator that this CPU can run.
template <class Table>
std::vector<const Table*> tables(const Table& baseline, const Table& avx2, const Table& avx512) {
  __builtin_cpu_init();
  std::vector<const Table*> all{&baseline};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(&avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    all.push_back(&avx512);
  return all;
}

// Runs f with 1, 2 and 3 threads, and expects what it returns to be the same.
template <class F>
void expect_same_for_all_threads(const F& f) {
  const int before = num_threads();
  set_num_threads(1);
  const auto one = f();
  for (const int n : {2, 3}) {
    set_num_threads(n);
    EXPECT_TRUE(f() == one) << n << " threads";
  }
  set_num_threads(before);
}

template <class T>
std::vector<T> part(const std::vector<T>& v, std::int64_t begin, std::int64_t count) {
  return {v.begin() + begin, v.begin() + begin + count};
}

template <class T>
struct Floats : ::testing::Test {
  using Type = T;
};
using FloatTypes = ::testing::Types<float, double>;

}  // namespace plumb::testing
