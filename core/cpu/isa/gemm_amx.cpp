// Products of bf16 by bf16 into f32 on the tile unit (AMX), for CPUs that have it. An element of C is one chain: it
// starts from C or from zero, and each step adds the products of 32 consecutive k as tdpbf16ps does, counted from a
// multiple of k_example; what is missing from the last 32 is zero. Nothing here runs unless has_tiles().
#include "core/cpu/isa/gemm_driver.h"

#if defined(PLUMB_ISA_avx512)
#include "core/cpu/isa/gemm_pack_pairs.h"

namespace plumb::cpu::PLUMB_ISA_NS {

void gemm_bf16(const GemmCall<float>& call, void* scratch);  // gemm_bf16.cpp

namespace {

constexpr int side = 16;         // rows and columns of a tile of C
constexpr int step = 32;         // k of an instruction
constexpr int64_t most_k = 768;  // packed at once: 48 KiB of A, 576 KiB of B
constexpr int64_t most_columns = 384;
constexpr int64_t row_bytes = step * 2;  // of a tile of A or B
constexpr int strip = 2 * side;          // rows and columns of C that are computed together, in four tiles
static_assert((strip + most_columns) * most_k * 2 + strip * strip * 4 <= gemm_scratch_bytes);

struct TileShapes {  // what ldtilecfg reads
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {row_bytes, row_bytes, row_bytes, row_bytes, row_bytes, row_bytes, row_bytes, row_bytes};
  uint8_t rows[16] = {side, side, side, side, side, side, side, side};
};

// The intrinsics of GCC are macros over assembler: they need no target of their own, and want the number of a tile.
#define PLUMB_TILE_LOAD(tile, from, stride) \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"(static_cast<int64_t>(stride)) : "memory")
#define PLUMB_TILE_STORE(to, stride, tile) \
  __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"(static_cast<int64_t>(stride)) : "memory")
#define PLUMB_TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile ::)
#define PLUMB_TILE_MULTIPLY(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)

// Four tiles of C in the registers 0 to 3, A in 4 and 5, B in 6 and 7.
struct TileWork {
  const uint16_t* a;
  int64_t a_bytes;    // from row to row
  const uint32_t* b;  // [2][steps][16][16]
  int64_t steps;
  float* c;
  int64_t c_bytes;
  bool add;
};

void load_c(const TileWork& w) {
  if (!w.add) {
    PLUMB_TILE_ZERO(0);
    PLUMB_TILE_ZERO(1);
    PLUMB_TILE_ZERO(2);
    PLUMB_TILE_ZERO(3);
    return;
  }
  const float* below = w.c + side * (w.c_bytes / 4);
  PLUMB_TILE_LOAD(0, w.c, w.c_bytes);
  PLUMB_TILE_LOAD(1, w.c + side, w.c_bytes);
  PLUMB_TILE_LOAD(2, below, w.c_bytes);
  PLUMB_TILE_LOAD(3, below + side, w.c_bytes);
}

void store_c(const TileWork& w) {
  float* below = w.c + side * (w.c_bytes / 4);
  PLUMB_TILE_STORE(w.c, w.c_bytes, 0);
  PLUMB_TILE_STORE(w.c + side, w.c_bytes, 1);
  PLUMB_TILE_STORE(below, w.c_bytes, 2);
  PLUMB_TILE_STORE(below + side, w.c_bytes, 3);
}

// C [32, 32] (+)= A [32, 32 steps] B.
void multiply(const TileWork& w) {
  load_c(w);
  const uint16_t *a = w.a, *below = w.a + side * (w.a_bytes / 2);
  const uint32_t *left = w.b, *right = w.b + w.steps * side * side;
  for (int64_t s = 0; s < w.steps; ++s) {
    PLUMB_TILE_LOAD(4, a, w.a_bytes);
    PLUMB_TILE_LOAD(6, left, row_bytes);
    PLUMB_TILE_MULTIPLY(0, 4, 6);
    PLUMB_TILE_LOAD(7, right, row_bytes);
    PLUMB_TILE_MULTIPLY(1, 4, 7);
    PLUMB_TILE_LOAD(5, below, w.a_bytes);
    PLUMB_TILE_MULTIPLY(2, 5, 6);
    PLUMB_TILE_MULTIPLY(3, 5, 7);
    a += step, below += step, left += side * side, right += side * side;
  }
  store_c(w);
}

// C [16, 32] (+)= A [16, 32 steps] B: the last rows, and products of few.
void multiply_half(const TileWork& w) {
  if (w.add) {
    PLUMB_TILE_LOAD(0, w.c, w.c_bytes);
    PLUMB_TILE_LOAD(1, w.c + side, w.c_bytes);
  } else {
    PLUMB_TILE_ZERO(0);
    PLUMB_TILE_ZERO(1);
  }
  const uint32_t *left = w.b, *right = w.b + w.steps * side * side;
  for (int64_t s = 0; s < w.steps; ++s) {
    PLUMB_TILE_LOAD(4, w.a + s * step, w.a_bytes);
    PLUMB_TILE_LOAD(6, left + s * side * side, row_bytes);
    PLUMB_TILE_LOAD(7, right + s * side * side, row_bytes);
    PLUMB_TILE_MULTIPLY(0, 4, 6);
    PLUMB_TILE_MULTIPLY(1, 4, 7);
  }
  PLUMB_TILE_STORE(w.c, w.c_bytes, 0);
  PLUMB_TILE_STORE(w.c + side, w.c_bytes, 1);
}

// Sixteen rows of A whose neighbours lie along the rows, 32 k: pairs of k, then their transpose.
void pack_rows_across(uint16_t* to, int64_t width, PairSource s, int count, int64_t k) {
  Vec<uint32_t> block[side];
  for (int i = 0; i < side; ++i) {
    const uint16_t* p = s.from + 2 * i * s.k_stride;
    block[i] = 2 * i < k ? load_u16(p, count) : Vec<uint32_t>{};
    if (2 * i + 1 < k) block[i] |= load_u16(p + s.k_stride, count) << 16;
  }
  transpose<uint32_t>(block);
  for (int l = 0; l < side; ++l) __builtin_memcpy(to + l * width, &block[l], sizeof block[l]);
}

class TileDriver {
 public:
  TileDriver(const GemmCall<float>& call, void* scratch)
      : g_(call),
        packed_a_(static_cast<uint16_t*>(scratch)),
        packed_b_(reinterpret_cast<uint32_t*>(packed_a_ + strip * most_k)),
        c_tile_(reinterpret_cast<float*>(packed_b_ + most_columns * most_k / 2)) {}

  void run() {
    const TileShapes shapes;
    __asm__ volatile("ldtilecfg %0" ::"m"(shapes));
    const int64_t segment = g_.k_example > 0 ? g_.k_example : g_.k;
    for (int64_t begin = 0; begin < g_.k; begin += segment)
      for (int64_t k = begin; k < min_of(begin + segment, g_.k); k += most_k)
        part(k, min_of(most_k, min_of(begin + segment, g_.k) - k));
    __asm__ volatile("tilerelease");
  }

 private:
  // All of C by k .. k + length.
  void part(int64_t k, int64_t length) {
    k_ = k, length_ = length, steps_ = divide_up(length, step);
    for (int64_t j = 0; j < g_.n; j += most_columns) {
      const int64_t columns = min_of(most_columns, g_.n - j);
      pack_b(j, columns);
      for (int64_t i = 0; i < g_.m; i += strip) rows(i, static_cast<int>(min_of(strip, g_.m - i)), j, columns);
    }
  }

  void pack_b(int64_t j, int64_t columns) {
    const auto* b = static_cast<const uint16_t*>(g_.b) + k_ * g_.b_row + j * g_.b_col;
    for (int64_t at = 0; at < divide_up(columns, strip) * strip; at += side) {
      uint32_t* to = packed_b_ + at * steps_ * side;
      const int64_t pairs = divide_up(length_, 2);
      if (at < columns)
        pack_part(to, side, {b + at * g_.b_col, g_.b_col, g_.b_row}, static_cast<int>(min_of(side, columns - at)),
                  length_);
      const int64_t filled = at < columns ? pairs * side : 0;
      __builtin_memset(to + filled, 0, static_cast<size_t>(steps_ * side * side - filled) * sizeof *to);
    }
  }

  // Where the tiles read `count` rows of A from i on: in place if whole steps of them are there, else a copy with zeros.
  const uint16_t* pack_a(int64_t i, int count, int64_t* row) {
    const auto* a = static_cast<const uint16_t*>(g_.a) + i * g_.a_row + k_ * g_.a_col;
    if (g_.a_col == 1 && count % side == 0 && length_ % step == 0) {
      *row = g_.a_row;
      return a;
    }
    const int64_t width = *row = steps_ * step;
    for (int first = 0; first < count; first += side) {
      const int here = count - first < side ? count - first : side;
      uint16_t* to = packed_a_ + first * width;
      const uint16_t* from = a + first * g_.a_row;
      if (g_.a_row == 1) {
        for (int64_t k = 0; k < length_; k += step)
          pack_rows_across(to + k, width, {from + k * g_.a_col, 1, g_.a_col}, here, min_of(step, length_ - k));
        continue;
      }
      __builtin_memset(to, 0, static_cast<size_t>(side * width) * sizeof *to);
      for (int l = 0; l < here; ++l) {
        const uint16_t* row_of = from + l * g_.a_row;
        if (g_.a_col == 1) __builtin_memcpy(to + l * width, row_of, static_cast<size_t>(length_) * sizeof *to);
        else
          for (int64_t k = 0; k < length_; ++k) to[l * width + k] = row_of[k * g_.a_col];
      }
    }
    return packed_a_;
  }

  void rows(int64_t i, int count, int64_t j, int64_t columns) {
    int64_t row = 0;
    TileWork w{};
    w.a = pack_a(i, count, &row);
    w.a_bytes = row * 2;
    w.steps = steps_;
    w.add = g_.accumulate || k_ > 0;
    for (int64_t at = 0; at < columns; at += strip) {
      w.b = packed_b_ + at * steps_ * side;
      tile(w, i, count, j + at, static_cast<int>(min_of(strip, columns - at)));
    }
  }

  void tile(TileWork& w, int64_t i, int count, int64_t j, int columns) {
    float* c = g_.c + i * g_.c_row + j * g_.c_col;
    const bool half = count <= side;
    const bool in_place = g_.c_col == 1 && columns == strip && (count == side || count == strip);
    w.c = in_place ? c : c_tile_;
    w.c_bytes = in_place ? g_.c_row * 4 : strip * 4;
    if (!in_place && w.add)
      for (int r = 0; r < count; ++r)
        for (int q = 0; q < columns; ++q) c_tile_[r * strip + q] = c[r * g_.c_row + q * g_.c_col];
    if (half) multiply_half(w);
    else multiply(w);
    if (in_place) return;
    for (int r = 0; r < count; ++r)
      for (int q = 0; q < columns; ++q) c[r * g_.c_row + q * g_.c_col] = c_tile_[r * strip + q];
  }

  const GemmCall<float>& g_;
  uint16_t* packed_a_;
  uint32_t* packed_b_;
  float* c_tile_;  // stands in for a tile of C that is cut off, or whose columns are not neighbours
  int64_t k_ = 0, length_ = 0, steps_ = 0;
};

}  // namespace

// Rows of C are rows of tiles, unless its columns are the neighbours; a product of few rows by a matrix whose columns are
// chains of neighbours is turned around too, so that the matrix is read where it lies.
void gemm_amx(const GemmCall<float>& call, void* scratch) {
  if (call.m == 0 || call.n == 0) return;
  if (call.k == 0) return gemm_bf16(call, scratch);
  const bool few = call.m <= side && call.n > call.m && call.b_row == 1 && call.b_col != 1;
  const bool turn = few || (call.c_col != 1 && call.c_row == 1 && call.n > side);
  const GemmCall<float> g = turn ? transposed(call) : call;
  TileDriver(g, scratch).run();
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
#endif
