// Serial elementwise loops on contiguous memory, one set for each instruction set.
#pragma once

#include <stdint.h>

#include "core/kernel_ops.h"

namespace plumb::cpu {

// Which inputs of a binary loop are one element for all of `out`.
enum class Splat : uint8_t { none, first, second };

struct ElementwiseTable {
  using UnaryLoop = void (*)(const void* x, void* out, int64_t n);
  using BinaryLoop = void (*)(const void* a, const void* b, void* out, int64_t n);
  using SelectLoop = void (*)(const uint8_t* mask, const void* a, const void* b, void* out, int64_t n);

  // Null where an operator is not defined for the type.
  UnaryLoop (*unary_f32)(kernels::Unary op);
  UnaryLoop (*unary_f64)(kernels::Unary op);
  UnaryLoop (*unary_integer)(kernels::Unary op, int bytes);  // i64, i32 or u8, by size
  BinaryLoop (*binary_f32)(kernels::Binary op, Splat splat);
  BinaryLoop (*binary_f64)(kernels::Binary op, Splat splat);
  BinaryLoop (*binary_integer)(kernels::Binary op, int bytes, Splat splat);
  SelectLoop (*select)(int bytes, Splat splat);  // a and b of that size
  void (*bf16_to_f32)(const uint16_t* x, float* out, int64_t n);
  void (*f32_to_bf16)(const float* x, uint16_t* out, int64_t n);
};

namespace baseline {
const ElementwiseTable& elementwise_table();
}
namespace avx2 {
const ElementwiseTable& elementwise_table();
}
namespace avx512 {
const ElementwiseTable& elementwise_table();
}

}  // namespace plumb::cpu
