// Which instruction set runs: chosen once, by cpuid or by PLUMB_ISA = baseline | avx2 | avx512 | amx (also given to oneDNN).
#pragma once

#include <string>

namespace plumb::cpu {

enum class Isa { baseline, avx2, avx512, amx };  // amx: AVX-512, and tiles for products of bf16
Isa isa();                                       // UserError when PLUMB_ISA names one that the CPU lacks
bool has_bf16_dot();                             // AVX512_BF16, and not forced below it
bool has_tiles();                                // AMX, and not forced below it
std::string name_of(Isa isa);
std::string cpu_model();

// A family of kernels declares a struct of function pointers and one maker for each instruction set; this picks.
template <class Table>
const Table& choose(const Table& (*baseline)(), const Table& (*avx2)(), const Table& (*avx512)()) {
  switch (isa()) {
    case Isa::amx:
    case Isa::avx512: return avx512();
    case Isa::avx2: return avx2();
    default: return baseline();
  }
}

}  // namespace plumb::cpu
