// Products of bf16 by bf16 into f32 with vdpbf16ps, for CPUs with AVX512_BF16. A part is a chain over pairs of k, each
// step rounded as the instruction does; an odd tail meets a zero. Nothing here runs unless has_bf16_dot().
#include "core/cpu/isa/gemm_vector.h"

#if defined(PLUMB_ISA_avx512)
#pragma GCC target("avx512bf16")

namespace plumb::cpu::PLUMB_ISA_NS {
PLUMB_INLINE F32 multiply_add(U32 x, U32 y, F32 sum) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(y));
}
}  // namespace plumb::cpu::PLUMB_ISA_NS

#include "core/cpu/isa/gemm_driver.h"
#include "core/cpu/isa/gemm_pack.h"
#include "core/cpu/isa/gemm_tiles.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace {

using Source = PanelSource<uint16_t>;

// Pairs of k whose lanes are neighbours in memory.
void pack_pair_rows(uint32_t* to, int width, Source s, int count, int64_t pairs) {
  for (int64_t i = 0; i < pairs; ++i) {
    const uint16_t* p = s.from + 2 * i * s.k_stride;
    store(to + i * width, load_u16(p, count) | load_u16(p + s.k_stride, count) << 16);
  }
}

void pack_pairs_scattered(uint32_t* to, int width, Source s, int count, int filled, int64_t pairs) {
  for (int64_t i = 0; i < pairs; ++i)
    for (int l = 0; l < filled; ++l) {
      const uint16_t* p = s.from + l * s.lane_stride + 2 * i * s.k_stride;
      to[i * width + l] = l < count ? p[0] | static_cast<uint32_t>(p[s.k_stride]) << 16 : 0;
    }
}

// One part of a panel; see pack_panel.
void pack_part(uint32_t* to, int width, Source s, int count, int64_t k) {
  const int64_t pairs = k / 2;
  constexpr int n = lanes<float>;
  for (int first = (width - 1) / n * n; first >= 0; first -= n) {
    const int here = count - first < n ? count - first : n, filled = width - first < n ? width - first : n;
    const Source group{s.from + first * s.lane_stride, s.lane_stride, s.k_stride};
    if (s.lane_stride == 1) pack_pair_rows(to + first, width, group, here, pairs);
    else if (s.k_stride == 1) pack_columns(to + first, width, group, here, pairs);
    else pack_pairs_scattered(to + first, width, group, here, filled, pairs);
    if (k % 2 == 0) continue;
    const uint16_t* last = group.from + (k - 1) * s.k_stride;
    for (int l = 0; l < filled; ++l) to[pairs * width + first + l] = l < here ? last[l * s.lane_stride] : 0;
  }
}

void pack_parts(uint32_t* to, int width, Source s, int count, const KBlock& block) {
  for (int32_t p = 0; p < block.count; ++p) {
    pack_part(to, width, s, count, block.parts[p]);
    to += static_cast<int64_t>(block.lengths[p]) * width;
    s.from += block.parts[p] * s.k_stride;
  }
}

struct Bf16Policy {
  using Packed = uint32_t;
  using Acc = float;
  using Call = GemmCall<float>;
  static constexpr int rows = Rows::most, per_element = 2;

  static bool direct_a(const Call&) { return false; }
  static bool direct_b(const Call&) { return false; }
  static const uint32_t* a_at(const Call&, int64_t, int64_t) { return nullptr; }
  static const uint32_t* b_at(const Call&, int64_t, int64_t) { return nullptr; }
  static void pack_a(uint32_t* to, const Call& g, const KBlock& block, int64_t i, int height) {
    const auto* a = static_cast<const uint16_t*>(g.a) + i * g.a_row + block.begin * g.a_col;
    pack_parts(to, height, {a, g.a_row, g.a_col}, height, block);
  }
  static void pack_b(uint32_t* to, const Call& g, const KBlock& block, int64_t j, int width, int count) {
    const auto* b = static_cast<const uint16_t*>(g.b) + j * g.b_col + block.begin * g.b_row;
    pack_parts(to, width, {b, g.b_col, g.b_row}, count, block);
  }
  static Tile<uint32_t, float> tile(int height, int nv, bool short_parts) {
    return choose_tile<uint32_t, float>(height, nv, short_parts);
  }
};

}  // namespace

void gemm_bf16(const GemmCall<float>& call, void* scratch) { gemm<Bf16Policy>(call, scratch); }

}  // namespace plumb::cpu::PLUMB_ISA_NS
#endif
