// Serial products: the choice of instruction set, and each thread's room for packing.
#include "core/cpu/gemm.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <vector>

#include "core/cpu/gemm_table.h"
#include "core/cpu/isa.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

constexpr std::align_val_t scratch_alignment{4096};
struct FreeScratch {
  void operator()(void* p) const { ::operator delete(p, scratch_alignment); }
};

void* thread_scratch() {
  thread_local std::unique_ptr<void, FreeScratch> scratch;
  if (!scratch) [[unlikely]]
    scratch.reset(::operator new(gemm_scratch_bytes, scratch_alignment));
  return scratch.get();
}

const GemmTable& table() {
  static const GemmTable& chosen = choose<GemmTable>(baseline::gemm_table, avx2::gemm_table, avx512::gemm_table);
  return chosen;
}

using F32Gemm = decltype(GemmTable::f32);
F32Gemm bf16_gemm() {  // bf16 is widened where the CPU does not multiply it
  static const F32Gemm chosen = has_tiles() ? table().bf16_tiles : has_bf16_dot() ? table().bf16 : table().f32;
  return chosen;
}

template <class T>
GemmCall<T> call_of(const AnyGemm& g) {
  return {.m = g.m,
          .n = g.n,
          .k = g.k,
          .a = g.a,
          .a_row = g.a_row,
          .a_col = g.a_col,
          .b = g.b,
          .b_row = g.b_row,
          .b_col = g.b_col,
          .c = static_cast<T*>(g.c),
          .c_row = g.c_row,
          .c_col = g.c_col,
          .accumulate = g.accumulate,
          .k_example = g.k_example,
          .a_bf16 = g.a_dtype == DType::bf16,
          .b_bf16 = g.b_dtype == DType::bf16};
}

template <class T>
AnyGemm any_of(const Gemm<T>& g) {
  constexpr DType t = dtype_of<T>;
  return {.m = g.m,
          .n = g.n,
          .k = g.k,
          .a = g.a,
          .a_dtype = t,
          .a_row = g.a_row,
          .a_col = g.a_col,
          .b = g.b,
          .b_dtype = t,
          .b_row = g.b_row,
          .b_col = g.b_col,
          .c = g.c,
          .c_dtype = t,
          .c_row = g.c_row,
          .c_col = g.c_col,
          .accumulate = g.accumulate,
          .k_example = g.k_example};
}

}  // namespace

void gemm_serial(const AnyGemm& g) {
  if (g.c_dtype == DType::f64) return table().f64(call_of<double>(g), thread_scratch());
  const GemmCall<float> call = call_of<float>(g);
  (call.a_bf16 && call.b_bf16 ? bf16_gemm() : table().f32)(call, thread_scratch());
}
void gemm_serial(const Gemm<float>& g) { gemm_serial(any_of(g)); }
void gemm_serial(const Gemm<double>& g) { gemm_serial(any_of(g)); }

double measure_peak_gflops(DType dtype, int threads) {
  using Clock = std::chrono::steady_clock;
  constexpr std::int64_t side = 768;
  const std::size_t bytes = side * side * size_of(dtype);
  const std::vector<std::byte> a(bytes), b(bytes);  // zeros: the speed is that of any other value
  std::vector<std::byte> c(side * side * sizeof(double));
  const DType c_dtype = dtype == DType::f64 ? DType::f64 : DType::f32;
  const int before = num_threads();
  set_num_threads(threads);
  double best = 0;
  for (int attempt = 0; attempt < 6; ++attempt) {
    constexpr std::int64_t rows = 48;
    const auto start = Clock::now();
    parallel_for(side / rows, 1, [&](std::int64_t begin, std::int64_t end) {
      const auto first = static_cast<std::size_t>(begin * rows * side);
      gemm_serial(AnyGemm{.m = (end - begin) * rows,
                          .n = side,
                          .k = side,
                          .a = a.data() + first * size_of(dtype),
                          .a_dtype = dtype,
                          .a_row = side,
                          .a_col = 1,
                          .b = b.data(),
                          .b_dtype = dtype,
                          .b_row = side,
                          .b_col = 1,
                          .c = c.data() + first * size_of(c_dtype),
                          .c_dtype = c_dtype,
                          .c_row = side});
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, 2e-9 * side * side * side / seconds);
  }
  set_num_threads(before);
  return best;
}

}  // namespace plumb::cpu
