// The loops around the register tiles of the products: cuts K into parts, packs panels of A and B, walks over C.
// A Policy says what a packed element is, how panels are packed and which tiles there are.
#pragma once

#include "core/cpu/gemm_table.h"
#include "core/cpu/isa/gemm_vector.h"

namespace plumb::cpu::PLUMB_ISA_NS {

// One register tile: C [mr, nv vectors] (+)= sum over `parts` of (panel of A) x (panel of B), k counted in packed
// elements.
template <class P, class Acc>
struct TileJob {
  const int32_t* parts;
  int32_t count;
  const P* a;
  int64_t a_row, a_k;
  const P* b;
  int64_t b_k;
  Acc* c;
  int64_t c_row;
  int32_t last;  // valid lanes of the last vector
  bool add;      // the first part is added to C, not stored
};

constexpr int64_t part_length = 96;      // kernels::Matmul::k_block
constexpr int64_t block_k_bytes = 1152;  // of one lane, packed at once: three parts of f32
constexpr int64_t block_m = 96;          // lanes of A and of B packed at once: 108 KiB and 648 KiB
constexpr int64_t block_n = 576;

// Consecutive parts of K that are packed and multiplied together.
struct KBlock {
  int64_t begin = 0, length = 0, packed = 0;
  int32_t count = 0;
  int32_t parts[block_k_bytes / 4];    // in k
  int32_t lengths[block_k_bytes / 4];  // in packed elements
};

PLUMB_INLINE int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
PLUMB_INLINE int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Takes parts from `begin` on while they fit: cuts at multiples of k_example, and in between every 96 from the
// segment's start. A packed element holds `per_element` consecutive k; at most `most` are taken.
[[maybe_unused]] static void next_block(KBlock& block, int64_t begin, int64_t k, int64_t k_example, int per_element,
                                        int64_t most) {
  block.begin = begin;
  block.length = block.packed = 0;
  block.count = 0;
  const int64_t segment = k_example > 0 ? k_example : k;
  int64_t left = segment - begin % segment;  // of the segment; a block begins where a part begins
  while (begin + block.length < k) {
    const int64_t part = min_of(min_of(left, part_length), k - begin - block.length);
    const int64_t packed = per_element == 1 ? part : divide_up(part, per_element);
    if (block.packed + packed > most) break;
    block.parts[block.count] = static_cast<int32_t>(part);
    block.lengths[block.count++] = static_cast<int32_t>(packed);
    block.length += part;
    block.packed += packed;
    left -= part;
    if (left == 0) left = segment;
  }
}

// C^T = B^T A^T has the same chains.
template <class T>
static GemmCall<T> transposed(const GemmCall<T>& g) {
  return {g.n,     g.m, g.k,     g.b,     g.b_col,      g.b_row,     g.a,      g.a_col,
          g.a_row, g.c, g.c_col, g.c_row, g.accumulate, g.k_example, g.b_bf16, g.a_bf16};
}

template <class Policy>
struct GemmDriver {
  using P = typename Policy::Packed;
  using Acc = typename Policy::Acc;
  using Job = TileJob<P, Acc>;
  static constexpr int v = lanes<Acc>;
  static constexpr int64_t block_k = block_k_bytes / static_cast<int64_t>(sizeof(P));
  static constexpr int64_t a_elements = block_m * block_k + 64;  // packing stores whole vectors: room for one more
  static constexpr int64_t b_elements = block_n * block_k + 64;
  static_assert((a_elements + b_elements) * sizeof(P) + 12 * 64 * sizeof(Acc) <= gemm_scratch_bytes);

  const GemmCall<Acc>& g;
  P* packed_a;
  P* packed_b;
  Acc* c_tile;  // stands in for a tile of C whose columns are not neighbours
  KBlock block;
  bool short_parts = false, a_direct = false, b_direct = false;
  int rows = 0;  // of a tile

  GemmDriver(const GemmCall<Acc>& call, void* scratch)
      : g(call),
        packed_a(static_cast<P*>(scratch)),
        packed_b(packed_a + a_elements),
        c_tile(reinterpret_cast<Acc*>(packed_b + b_elements)) {}

  void run() {
    next_block(block, 0, g.k, g.k_example, Policy::per_element, block_k);
    // Short parts keep the sum over parts in registers too, so their tiles have half the rows.
    short_parts = block.packed < 12 * block.count;
    rows = short_parts ? Policy::rows / 2 : Policy::rows;
    a_direct = Policy::direct_a(g);
    b_direct = Policy::direct_b(g);
    for (;;) {
      for (int64_t j = 0; j < g.n; j += block_n) columns(j, min_of(g.n - j, block_n));
      const int64_t next = block.begin + block.length;
      if (next == g.k) break;
      next_block(block, next, g.k, g.k_example, Policy::per_element, block_k);
    }
  }

  void columns(int64_t j, int64_t nc) {
    const int64_t strips = divide_up(g.m, block_m), mc = divide_up(g.m, strips);
    for (int64_t i = 0; i < g.m; i += mc) strip(i, min_of(g.m - i, mc), j, nc);
  }

  // Rows i .. i + mc of C, columns j .. j + nc, the parts of this block.
  void strip(int64_t i, int64_t mc, int64_t j, int64_t nc) {
    const int64_t tiles = divide_up(mc, rows), mr = mc / tiles, longer = mc % tiles;
    if (!a_direct) {
      for (int64_t t = 0, at = 0; t < tiles; ++t) {
        const int64_t height = mr + (t < longer);
        Policy::pack_a(packed_a + at * block.packed, g, block, i + at, static_cast<int>(height));
        at += height;
      }
    }
    for (int64_t at = 0; at < nc;) {
      if (a_direct) fetch_next_strip(i + mc, mc, at, nc);
      const int nv = g.m == 1 && nc - at > 3 * v ? 4 : nc - at > v ? 2 : 1;  // one row: more chains to overlap
      const int64_t count = min_of(nc - at, nv * v);
      panel(i, mc, mr, longer, j + at, nv, count, packed_b + at * block.packed);
      at += count;
    }
  }

  // While panel `at` of nc columns is worked on, its share of the rows of A that come next is fetched.
  void fetch_next_strip(int64_t i, int64_t mc, int64_t at, int64_t nc) {
    if (g.a_col != 1 || i + mc > g.m) return;
    constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(P));
    for (int64_t r = mc * at / nc; r < mc * min_of(at + 2 * v, nc) / nc; ++r) {
      const P* row = Policy::a_at(g, i + r, block.begin);
      for (int64_t k = 0; k < block.length; k += line) __builtin_prefetch(row + k, 0, 2);
    }
  }

  // All tiles of one panel of B.
  void panel(int64_t i, int64_t mc, int64_t mr, int64_t longer, int64_t j, int nv, int64_t count, P* b) {
    Job job{};
    job.parts = block.lengths;
    job.count = block.count;
    job.add = g.accumulate || block.begin > 0;
    job.last = static_cast<int32_t>(count - (nv - 1) * v);
    if (b_direct && count == nv * v) {
      job.b = Policy::b_at(g, block.begin, j);
      job.b_k = g.b_row;
    } else {
      if (i == 0) Policy::pack_b(b, g, block, j, nv * v, static_cast<int>(count));
      job.b = b;
      job.b_k = nv * v;
    }
    for (int64_t at = 0, t = 0; at < mc; ++t) {
      const int64_t height = mr + (t < longer);
      if (a_direct) {
        job.a = Policy::a_at(g, i + at, block.begin);
        job.a_row = g.a_row;
        job.a_k = g.a_col;
      } else {
        job.a = packed_a + at * block.packed;
        job.a_row = 1;
        job.a_k = height;
      }
      tile(job, static_cast<int>(height), nv, g.c + (i + at) * g.c_row + j * g.c_col, count);
      at += height;
    }
  }

  void tile(Job& job, int height, int nv, Acc* c, int64_t count) {
    const auto run_tile = Policy::tile(height, nv, short_parts);
    if (g.c_col == 1) {
      job.c = c;
      job.c_row = g.c_row;
      run_tile(job);
      return;
    }
    job.c = c_tile;
    job.c_row = nv * v;
    if (job.add)
      for (int r = 0; r < height; ++r)
        for (int64_t q = 0; q < count; ++q) c_tile[r * job.c_row + q] = c[r * g.c_row + q * g.c_col];
    run_tile(job);
    for (int r = 0; r < height; ++r)
      for (int64_t q = 0; q < count; ++q) c[r * g.c_row + q * g.c_col] = c_tile[r * job.c_row + q];
  }
};

// While it lives, denormal numbers are zeros, read or made: each of them costs a multiplication hundreds of cycles, and the
// gradients of a model that no longer learns are full of them.
class DenormalsAreZero {
 public:
  DenormalsAreZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | flush_results | zero_operands); }
  ~DenormalsAreZero() { _mm_setcsr(before_); }
  DenormalsAreZero(const DenormalsAreZero&) = delete;
  DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;

 private:
  static constexpr unsigned flush_results = 0x8000, zero_operands = 0x40;
  unsigned before_;
};

// Vectors run along n: turn the product around when C's neighbours are its rows, or when n cannot fill one.
template <class Policy>
static void gemm(const GemmCall<typename Policy::Acc>& call, void* scratch) {
  using Acc = typename Policy::Acc;
  if (call.m == 0 || call.n == 0) return;
  const DenormalsAreZero flushed;
  if (call.k == 0) {
    if (call.accumulate) return;
    for (int64_t i = 0; i < call.m; ++i)
      for (int64_t j = 0; j < call.n; ++j) call.c[i * call.c_row + j * call.c_col] = Acc{};
    return;
  }
  const bool turn = call.n < lanes<Acc> && call.m > call.n   ? true
                    : call.m < lanes<Acc> && call.n > call.m ? false
                                                             : call.c_col != 1 && call.c_row == 1;
  if (turn) {
    const GemmCall<Acc> g = transposed(call);
    GemmDriver<Policy>(g, scratch).run();
  } else {
    GemmDriver<Policy>(call, scratch).run();
  }
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
