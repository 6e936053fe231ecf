// Rotary embedding of the heads of one position, for each instruction set.
#pragma once

#include <cstdint>

namespace plumb::cpu {

template <class T>
struct RopeHeads {
  const T* x = nullptr;
  T* out = nullptr;
  std::int64_t heads = 0, x_stride = 0, out_stride = 0;
  std::int64_t half = 0, d = 0;                // pairs that turn; entries of a head
  const T *cosine = nullptr, *sine = nullptr;  // [half] of this position
  bool inverse = false;
};

struct RopeTable {
  void (*heads_f32)(const RopeHeads<float>&);
  void (*heads_f64)(const RopeHeads<double>&);

  auto heads(float) const { return heads_f32; }
  auto heads(double) const { return heads_f64; }
};
namespace baseline {
const RopeTable& rope_table();
}
namespace avx2 {
const RopeTable& rope_table();
}
namespace avx512 {
const RopeTable& rope_table();
}

}  // namespace plumb::cpu
