// The products of one instruction set (core/cpu/isa/gemm*.cpp), and what they are called with.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace plumb::cpu {

// C [m, n] (+)= A [m, k] B [k, n], strides in elements of each operand, under the matmul contract of core/backend.h.
// A and B hold elements of C's type, or bf16 where flagged (widened while packing, exactly).
template <class T>
struct GemmCall {
  int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  int64_t a_row = 0, a_col = 0;
  const void* b = nullptr;
  int64_t b_row = 0, b_col = 0;
  T* c = nullptr;
  int64_t c_row = 0, c_col = 1;
  bool accumulate = false;
  int64_t k_example = 0;
  bool a_bf16 = false, b_bf16 = false;
};

struct GemmTable {
  void (*f32)(const GemmCall<float>& call, void* scratch) = nullptr;
  void (*f64)(const GemmCall<double>& call, void* scratch) = nullptr;
  // Both operands bf16, multiplied in pairs (2i, 2i + 1 of a part, an odd tail padded by zero) by vdpbf16ps; null where
  // the instruction set has none, and to be called only when has_bf16_dot().
  void (*bf16)(const GemmCall<float>& call, void* scratch) = nullptr;
  // The same on the tile unit: chains of 32 k at a time, from C on. To be called only when has_tiles().
  void (*bf16_tiles)(const GemmCall<float>& call, void* scratch) = nullptr;
};

constexpr size_t gemm_scratch_bytes = 1 << 20;  // 64-byte aligned, one for each thread

namespace baseline {
const GemmTable& gemm_table();
}
namespace avx2 {
const GemmTable& gemm_table();
}
namespace avx512 {
const GemmTable& gemm_table();
}

}  // namespace plumb::cpu
