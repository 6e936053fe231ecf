// Random numbers: an element is a pure function of the key and its position, by the header that the CPU uses too.
#include <cmath>

#include "core/cuda/backend.h"
#include "core/random_math.h"

namespace plumb::cuda {
namespace {

using kernels::Distribution;
namespace math = random_math;

// Words of the width of the dtype: 64 bits for f64 and i64, else 32.
template <class T>
__device__ auto draw_bits(std::uint64_t key, std::uint64_t i) {
  if constexpr (sizeof(T) == 8) return math::bits64(key, i);
  else return math::bits32(key, i);
}

template <class Word>
__device__ double draw(Distribution d, Word w, double a, double b) {
  switch (d) {
    case Distribution::normal: return math::multiply_add(math::normal(math::open_unit(w)), b, a);
    case Distribution::truncated_normal:
      return math::truncated_scaled(math::normal(math::truncated_p(math::open_unit(w)))) * b;
    case Distribution::gumbel: return math::gumbel(math::open_unit(w));
    default: return math::uniform(math::unit(w), a, b);
  }
}

// A uniform draw rounded to the dtype stays below its upper end.
template <class T>
__device__ T rounded_uniform(double x, double a, double b) {
  if constexpr (std::is_same_v<T, double>) {
    return x < b || a >= b ? x : std::nextafter(b, a);
  } else {
    const float wide = math::below(static_cast<float>(x), b, a);
    T y = narrow<T>(wide);
    if constexpr (std::is_same_v<T, Bf16>) {
      if (widen(y) >= b && a < b)
        y.bits = static_cast<std::uint16_t>((__float_as_uint(wide) >> 16) + (wide < 0));  // downwards
    }
    return y;
  }
}

template <class T>
__global__ void random_kernel(Distribution d, std::uint64_t key, std::uint64_t first, double a, double b, i64 count,
                              T* out) {
  for (i64 i = first_item(); i < count; i += all_threads()) {
    const auto w = draw_bits<T>(key, first + static_cast<std::uint64_t>(i));
    if constexpr (std::is_integral_v<T>) {
      out[i] = static_cast<T>(w);
    } else {
      const double x = draw(d, w, a, b);
      out[i] = d == Distribution::uniform ? rounded_uniform<T>(x, a, b) : narrow<T>(x);
    }
  }
}

}  // namespace

void CudaBackend::random(Distribution d, std::uint64_t key, std::uint64_t first, double a, double b, const Raw& out) {
  const i64 count = numel(out.shape);
  if (is_floating(out.dtype) == (d == Distribution::bits) || out.dtype == DType::u8) {
    fail("random", "this distribution cannot fill {}", name_of(out.dtype));
  }
  visit_dtype(out.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_over(stream(), count, random_kernel<T>, d, key, first, a, b, count, static_cast<T*>(out.data));
  });
}

}  // namespace plumb::cuda
