// Products of f32 and f64 by register tiles: each element is a sum of chains of fma (the matmul contract).
#include "core/cpu/isa/gemm_driver.h"
#include "core/cpu/isa/gemm_pack.h"
#include "core/cpu/isa/gemm_tiles.h"

namespace plumb::cpu::PLUMB_ISA_NS {

#if defined(PLUMB_ISA_avx512)
void gemm_bf16(const GemmCall<float>& call, void* scratch);  // gemm_bf16.cpp
void gemm_amx(const GemmCall<float>& call, void* scratch);   // gemm_amx.cpp
#else
constexpr decltype(GemmTable::bf16) gemm_bf16 = nullptr, gemm_amx = nullptr;
#endif

namespace {

template <class T>
struct Policy {
  using Packed = T;
  using Acc = T;
  static constexpr int rows = Rows::most, per_element = 1;

  // A stride of 4 KiB puts every row into the same sets of the first-level cache.
  static bool collides(int64_t stride) { return stride * static_cast<int64_t>(sizeof(T)) % 4096 == 0; }
  // A is read where it lies when its rows are chains of neighbours, or when each element is used for few columns; B when
  // it is used for few rows or fits the first-level cache.
  static bool direct_a(const GemmCall<T>& g) {
    if (g.a_bf16) return false;
    return g.m == 1 || ((g.a_col == 1 || g.n <= 4 * lanes<T> || (g.a_row == 1 && g.a_col <= 256)) &&
                        !collides(g.a_row) && !collides(g.a_col));
  }
  static bool direct_b(const GemmCall<T>& g) {
    if (g.b_bf16 || g.b_col != 1) return false;
    const bool small = g.k * g.b_row * static_cast<int64_t>(sizeof(T)) <= 24 * 1024;
    return small || g.m <= 2 * rows;
  }
  static const T* a_at(const GemmCall<T>& g, int64_t i, int64_t k) {
    return static_cast<const T*>(g.a) + i * g.a_row + k * g.a_col;
  }
  static const T* b_at(const GemmCall<T>& g, int64_t k, int64_t j) {
    return static_cast<const T*>(g.b) + k * g.b_row + j * g.b_col;
  }

  template <class S>
  static PanelSource<S> source(const void* data, int64_t lane, int64_t k, int64_t lane_stride, int64_t k_stride) {
    return {static_cast<const S*>(data) + lane * lane_stride + k * k_stride, lane_stride, k_stride};
  }
  static void pack_a(T* to, const GemmCall<T>& g, const KBlock& block, int64_t i, int height) {
    if constexpr (sizeof(T) == sizeof(float)) {
      if (g.a_bf16)
        return pack_panel(to, height, source<uint16_t>(g.a, i, block.begin, g.a_row, g.a_col), height, block.length);
    }
    pack_panel(to, height, source<T>(g.a, i, block.begin, g.a_row, g.a_col), height, block.length);
  }
  static void pack_b(T* to, const GemmCall<T>& g, const KBlock& block, int64_t j, int width, int count) {
    if constexpr (sizeof(T) == sizeof(float)) {
      if (g.b_bf16)
        return pack_panel(to, width, source<uint16_t>(g.b, j, block.begin, g.b_col, g.b_row), count, block.length);
    }
    pack_panel(to, width, source<T>(g.b, j, block.begin, g.b_col, g.b_row), count, block.length);
  }

  static Tile<T, T> tile(int height, int nv, bool short_parts) { return choose_tile<T, T>(height, nv, short_parts); }
};

void gemm_f32(const GemmCall<float>& call, void* scratch) { gemm<Policy<float>>(call, scratch); }
void gemm_f64(const GemmCall<double>& call, void* scratch) { gemm<Policy<double>>(call, scratch); }

}  // namespace

const GemmTable& gemm_table() {
  static const GemmTable table{gemm_f32, gemm_f64, gemm_bf16, gemm_amx};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
