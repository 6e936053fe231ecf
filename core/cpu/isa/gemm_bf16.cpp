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
#include "core/cpu/isa/gemm_pack_pairs.h"
#include "core/cpu/isa/gemm_tiles.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace {

void pack_parts(uint32_t* to, int width, PairSource s, int count, const KBlock& block) {
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
