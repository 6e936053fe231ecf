// Random numbers of the CPU: which loop fills which part of a tensor.
#include <algorithm>

#include "core/cpu/backend.h"
#include "core/cpu/isa.h"
#include "core/cpu/random_table.h"
#include "core/parallel.h"
#include "core/random_math.h"

namespace plumb::cpu {
namespace {

using kernels::Distribution;

const RandomTable& table() {
  static const RandomTable& t = choose<RandomTable>(baseline::random_table, avx2::random_table, avx512::random_table);
  return t;
}

// bf16 is the f32 draw, rounded; a uniform one stays below its upper end.
void fill_bf16(Distribution d, std::uint64_t key, std::uint64_t first, double a, double b, Bf16* out, std::int64_t n) {
  constexpr std::int64_t batch = 512;
  float wide[batch];
  for (std::int64_t done = 0; done < n; done += batch) {
    const std::int64_t count = std::min(batch, n - done);
    table().fill_f32(d, key, first + static_cast<std::uint64_t>(done), a, b, wide, count);
    for (std::int64_t i = 0; i < count; ++i) {
      Bf16 x(wide[i]);
      if (d == Distribution::uniform && static_cast<double>(static_cast<float>(x)) >= b && a < b)
        x.bits =
            static_cast<std::uint16_t>((std::bit_cast<std::uint32_t>(wide[i]) >> 16) + (wide[i] < 0));  // downwards
      out[done + i] = x;
    }
  }
}

}  // namespace

void CpuBackend::random(Distribution d, std::uint64_t key, std::uint64_t first, double a, double b, const Raw& out) {
  const bool integers = out.dtype == DType::i64 || out.dtype == DType::i32;
  if (integers != (d == Distribution::bits) || out.dtype == DType::u8)
    fail("random", "this distribution cannot fill {}", name_of(out.dtype));
  parallel_for(numel(out.shape), 2048, [&](std::int64_t begin, std::int64_t end) {
    const std::uint64_t from = first + static_cast<std::uint64_t>(begin);
    const std::int64_t n = end - begin;
    switch (out.dtype) {
      case DType::f32: return table().fill_f32(d, key, from, a, b, static_cast<float*>(out.data) + begin, n);
      case DType::f64: return table().fill_f64(d, key, from, a, b, static_cast<double*>(out.data) + begin, n);
      case DType::bf16: return fill_bf16(d, key, from, a, b, static_cast<Bf16*>(out.data) + begin, n);
      case DType::i64:
        for (std::int64_t i = 0; i < n; ++i)
          static_cast<std::int64_t*>(out.data)[begin + i] =
              static_cast<std::int64_t>(random_math::bits64(key, from + static_cast<std::uint64_t>(i)));
        return;
      default:
        for (std::int64_t i = 0; i < n; ++i)
          static_cast<std::int32_t*>(out.data)[begin + i] =
              static_cast<std::int32_t>(random_math::bits32(key, from + static_cast<std::uint64_t>(i)));
    }
  });
}

}  // namespace plumb::cpu
