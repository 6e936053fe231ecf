// Serial products on raw CPU memory, under the matmul contract of core/backend.h.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace plumb::cpu {

// C [M, N] (+)= A [M, K] B [K, N] with element strides (row, column). One thread; never allocates after warm-up.
// Each element: K is cut at multiples of k_example (0 = never), each part again at multiples of 96; a part is one chain
// of fma starting from zero, denormal numbers being zeros; parts are added left to right, onto C when `accumulate`, else the first part is stored.
template <class T>
struct Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  std::int64_t a_row = 0, a_col = 0;
  const T* b = nullptr;
  std::int64_t b_row = 0, b_col = 0;
  T* c = nullptr;
  std::int64_t c_row = 0, c_col = 1;
  bool accumulate = false;
  std::int64_t k_example = 0;
};
void gemm_serial(const Gemm<float>& g);
void gemm_serial(const Gemm<double>& g);

// The same for operands whose dtype is known at run time: A and B each f32 or bf16 with C f32, or all f64. bf16 is
// widened to f32 exactly; when both are bf16 and the CPU multiplies bf16, products are added in pairs of k.
struct AnyGemm {
  std::int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  DType a_dtype = DType::f32;
  std::int64_t a_row = 0, a_col = 0;
  const void* b = nullptr;
  DType b_dtype = DType::f32;
  std::int64_t b_row = 0, b_col = 0;
  void* c = nullptr;
  DType c_dtype = DType::f32;  // f32 or f64
  std::int64_t c_row = 0, c_col = 1;
  bool accumulate = false;
  std::int64_t k_example = 0;
};
void gemm_serial(const AnyGemm& g);

// GFLOP/s of a large product on this machine right now: what shares of peak are measured against.
double measure_peak_gflops(DType dtype, int threads);

}  // namespace plumb::cpu
