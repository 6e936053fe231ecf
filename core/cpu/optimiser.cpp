// The optimiser pass of the CPU: slices of the arena, cut into blocks that threads share.
#include <algorithm>
#include <vector>

#include "core/cpu/backend.h"
#include "core/cpu/isa.h"
#include "core/cpu/optimiser_table.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

const OptimiserTable& table() {
  static const OptimiserTable& t =
      choose<OptimiserTable>(baseline::optimiser_table, avx2::optimiser_table, avx512::optimiser_table);
  return t;
}

template <class T>
AdamConstants<T> constants(const kernels::Adam& a, const kernels::AdamSlice& s) {
  const auto t = [](double x) { return static_cast<T>(x); };
  return {t(a.beta1), t(1 - a.beta1), t(a.beta2), t(1 - a.beta2),      t(a.bias1), t(a.bias2),
          t(a.eps),   t(s.lr),        t(s.decay), t(s.gradient_scale), a.atan2};
}

template <class T, class Loop>
void run(const kernels::Adam& a, const kernels::AdamSlice* slices, int count, Loop loop) {
  constexpr std::int64_t block = 4096;
  std::vector<std::int64_t> first_block(static_cast<std::size_t>(count) + 1, 0);
  for (int s = 0; s < count; ++s)
    first_block[static_cast<std::size_t>(s) + 1] =
        first_block[static_cast<std::size_t>(s)] + (slices[s].count + block - 1) / block;
  parallel_for(first_block.back(), grain_for(8 * block), [&](std::int64_t begin, std::int64_t end) {
    auto s = std::upper_bound(first_block.begin(), first_block.end(), begin) - first_block.begin() - 1;
    for (std::int64_t b = begin; b < end; ++s) {
      const kernels::AdamSlice& slice = slices[s];
      const std::int64_t from = first_block[static_cast<std::size_t>(s)],
                         to = std::min(end, first_block[static_cast<std::size_t>(s) + 1]);
      if (b >= to) continue;
      const std::int64_t start = (b - from) * block, n = std::min((to - from) * block, slice.count) - start;
      const std::int64_t at = slice.offset + start;
      loop(constants<T>(a, slice), static_cast<T*>(a.param) + at, static_cast<const T*>(a.grad) + at,
           static_cast<T*>(a.m) + at, static_cast<T*>(a.u) + at, n);
      b = to;
    }
  });
}

}  // namespace

void CpuBackend::adam(const kernels::Adam& a, const kernels::AdamSlice* slices, int count) {
  PLUMB_ASSERT(a.dtype == DType::f32 || a.dtype == DType::f64);
  if (a.dtype == DType::f32) run<float>(a, slices, count, table().adam_f32);
  else run<double>(a, slices, count, table().adam_f64);
}

}  // namespace plumb::cpu
