// Random fills: Philox on 16 counters at a time, then the transformation of a whole batch, rare branches last.
#include "core/cpu/isa/simd.h"
#include "core/cpu/random_table.h"
#include "core/random_math.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace {

using kernels::Distribution;
namespace rm = random_math;

constexpr int blocks = 16;

// Word k of block first + j goes to words[4 j + k]. Only the lower half of a lane counts until the end.
void philox_batch(uint64_t key, uint64_t first, uint32_t* words) {
  constexpr int width = vector_bytes / 8;
  for (int j = 0; j < blocks; j += width) {
    I64 c0, c1, c2 = {}, c3 = {};
    for (int l = 0; l < width; ++l) c0[l] = static_cast<int64_t>(first + static_cast<uint64_t>(j + l));
    c1 = c0 >> 32;
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const I64 p = multiply_low_halves(c0, I64{} + 0xD2511F53ll), q = multiply_low_halves(c2, I64{} + 0xCD9E8D57ll);
      c0 = (q >> 32) ^ c1 ^ static_cast<int64_t>(k0);
      c1 = q;
      c2 = (p >> 32) ^ c3 ^ static_cast<int64_t>(k1);
      c3 = p;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    const I64 low = (c0 & 0xffffffffll) | c1 << 32, high = (c2 & 0xffffffffll) | c3 << 32;
    for (int l = 0; l < width; ++l) {
      const int64_t pair[2] = {low[l], high[l]};
      __builtin_memcpy(words + 4 * (j + l), pair, sizeof pair);
    }
  }
}

template <class T>
struct Draw;
template <>
struct Draw<float> {
  using Bits = uint32_t;
};
template <>
struct Draw<double> {
  using Bits = uint64_t;
};

// Probabilities to normal values in place: the middle for all, then the tails.
void normal_batch(double* p, int n) {
  double z[4 * blocks];
  for (int i = 0; i < n; ++i) z[i] = rm::normal_middle(p[i] - 0.5);
  for (int i = 0; i < n; ++i) p[i] = rm::in_middle(p[i] - 0.5) ? z[i] : rm::normal_tail(p[i]);
}

// One batch of raw draws to values.
template <class T>
void transform(Distribution d, double a, double b, const typename Draw<T>::Bits* bits, T* out, int n) {
  double u[4 * blocks];
  if (d == Distribution::uniform) {
    for (int i = 0; i < n; ++i) u[i] = rm::uniform(rm::unit(bits[i]), a, b);
    for (int i = 0; i < n; ++i) out[i] = rm::below(static_cast<T>(u[i]), b, a);
    return;
  }
  for (int i = 0; i < n; ++i) u[i] = rm::open_unit(bits[i]);
  if (d == Distribution::normal) {
    normal_batch(u, n);
    for (int i = 0; i < n; ++i) out[i] = static_cast<T>(rm::multiply_add(u[i], b, a));
  } else if (d == Distribution::truncated_normal) {
    for (int i = 0; i < n; ++i) u[i] = rm::truncated_p(u[i]);
    normal_batch(u, n);
    for (int i = 0; i < n; ++i) out[i] = static_cast<T>(rm::truncated_scaled(u[i]) * b);
  } else {
    for (int i = 0; i < n; ++i) out[i] = static_cast<T>(rm::gumbel(u[i]));
  }
}

template <class T>
void fill(Distribution d, uint64_t key, uint64_t first, double a, double b, T* out, int64_t n) {
  using Bits = typename Draw<T>::Bits;
  constexpr int batch = 4 * blocks * 4 / static_cast<int>(sizeof(Bits)), per_block = batch / blocks;
  for (int64_t done = 0; done < n;) {
    const uint64_t at = first + static_cast<uint64_t>(done), block = at / per_block;
    const int skip = static_cast<int>(at % per_block);
    const int count = n - done < batch - skip ? static_cast<int>(n - done) : batch - skip;
    uint32_t words[4 * blocks];
    Bits bits[batch];
    philox_batch(key, block, words);
    static_assert(sizeof bits == sizeof words);
    __builtin_memcpy(bits, words, sizeof bits);  // a 64-bit draw: the first word is the low half
    transform<T>(d, a, b, bits + skip, out + done, count);
    done += count;
  }
}

}  // namespace

const RandomTable& random_table() {
  static constexpr RandomTable table{fill<float>, fill<double>};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
