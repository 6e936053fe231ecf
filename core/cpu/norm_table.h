// LayerNorm and RMSNorm of blocks of rows, for each instruction set.
#pragma once

#include <cstdint>

namespace plumb::cpu {

template <class T>
struct NormRows {
  std::int64_t rows = 0, n = 0;
  bool center = true;
  T eps = 0, gain_offset = 0;
  const T *x = nullptr, *gain = nullptr, *bias = nullptr;  // gain, bias: may be null
  T *y = nullptr, *mean = nullptr, *rstd = nullptr;        // mean, rstd: may be null
};
template <class T>
struct NormGradRows {
  NormRows<T> forward;
  const T* dy = nullptr;
  T* dx = nullptr;
  T *dgain = nullptr, *dbias = nullptr;  // [n], added to row after row; or null
};

struct NormTable {
  void (*rows_f32)(const NormRows<float>&);
  void (*rows_f64)(const NormRows<double>&);
  void (*grad_f32)(const NormGradRows<float>&);
  void (*grad_f64)(const NormGradRows<double>&);

  auto rows(float) const { return rows_f32; }
  auto rows(double) const { return rows_f64; }
  auto grad(float) const { return grad_f32; }
  auto grad(double) const { return grad_f64; }
};
namespace baseline {
const NormTable& norm_table();
}
namespace avx2 {
const NormTable& norm_table();
}
namespace avx512 {
const NormTable& norm_table();
}

}  // namespace plumb::cpu
