// What every kernel file of core/cpu/isa starts from. Those files are compiled once for each instruction set, inside
// the namespace PLUMB_ISA_NS, with serial code on raw contiguous memory: no standard library headers, no threads.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifndef PLUMB_ISA_NS
#error "compile this file through cmake/PlumbIsa.cmake"
#endif

namespace plumb::cpu::PLUMB_ISA_NS {

// Width of a vector register in bytes. Reductions must not depend on it: they use fixed lanes.
#if defined(PLUMB_ISA_avx512)
constexpr int vector_bytes = 64;
#elif defined(PLUMB_ISA_avx2)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

// One rounding where the instruction set has it (AVX2, AVX-512); two on the baseline, which is a set of bits of its own.
static inline __attribute__((always_inline)) float fma(float a, float b, float c) {
#if defined(__FMA__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
static inline __attribute__((always_inline)) double fma(double a, double b, double c) {
#if defined(__FMA__)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
