// Packing of bf16 for the products that multiply pairs of k: a packed element holds k and k + 1, the earlier one below.
#pragma once

#include "core/cpu/isa/gemm_pack.h"

namespace plumb::cpu::PLUMB_ISA_NS {

using PairSource = PanelSource<uint16_t>;

// Pairs of k whose lanes are neighbours in memory.
static void pack_pair_rows(uint32_t* to, int width, PairSource s, int count, int64_t pairs) {
  for (int64_t i = 0; i < pairs; ++i) {
    const uint16_t* p = s.from + 2 * i * s.k_stride;
    store(to + i * width, load_u16(p, count) | load_u16(p + s.k_stride, count) << 16);
  }
}

static void pack_pairs_scattered(uint32_t* to, int width, PairSource s, int count, int filled, int64_t pairs) {
  for (int64_t i = 0; i < pairs; ++i)
    for (int l = 0; l < filled; ++l) {
      const uint16_t* p = s.from + l * s.lane_stride + 2 * i * s.k_stride;
      to[i * width + l] = l < count ? p[0] | static_cast<uint32_t>(p[s.k_stride]) << 16 : 0;
    }
}

// One part of a panel; see pack_panel.
static void pack_part(uint32_t* to, int width, PairSource s, int count, int64_t k) {
  const int64_t pairs = k / 2;
  constexpr int n = lanes<float>;
  for (int first = (width - 1) / n * n; first >= 0; first -= n) {
    const int here = count - first < n ? count - first : n, filled = width - first < n ? width - first : n;
    const PairSource group{s.from + first * s.lane_stride, s.lane_stride, s.k_stride};
    if (s.lane_stride == 1) pack_pair_rows(to + first, width, group, here, pairs);
    else if (s.k_stride == 1) pack_columns(to + first, width, group, here, pairs);
    else pack_pairs_scattered(to + first, width, group, here, filled, pairs);
    if (k % 2 == 0) continue;
    const uint16_t* last = group.from + (k - 1) * s.k_stride;
    for (int l = 0; l < filled; ++l) to[pairs * width + first + l] = l < here ? last[l * s.lane_stride] : 0;
  }
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
