// Turns the pairs (i, i + half) of vectors by given angles. Loads both before it stores, so x may be out.
#include "core/cpu/isa/lanes.h"
#include "core/cpu/rope_table.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace wide {
namespace {

// Half of a Lanes; narrower registers take it in pieces.
template <class T>
struct HalfLanes {
  typedef T Type __attribute__((vector_size(32)));
};

template <class T>
PLUMB_INLINE void turn(const T* x, T* out, const T* cosine, const T* sine, int64_t half, T sign) {
  constexpr int w = Lanes<T>::count;
  int64_t i = 0;
  for (; i + w <= half; i += w) {
    const auto a = load(x + i), b = load(x + half + i), c = load(cosine + i), s = load(sine + i) * splat(sign);
    store(out + i, a * c - b * s);
    store(out + half + i, b * c + a * s);
  }
  using Half = typename HalfLanes<T>::Type;  // heads of 16 have eight pairs
  constexpr int h = sizeof(Half) / sizeof(T);
  for (; i + h <= half; i += h) {
    Half a, b, c, s;
    __builtin_memcpy(&a, x + i, sizeof a);
    __builtin_memcpy(&b, x + half + i, sizeof b);
    __builtin_memcpy(&c, cosine + i, sizeof c);
    __builtin_memcpy(&s, sine + i, sizeof s);
    s *= sign;
    const Half first = a * c - b * s, second = b * c + a * s;
    __builtin_memcpy(out + i, &first, sizeof first);
    __builtin_memcpy(out + half + i, &second, sizeof second);
  }
  for (; i < half; ++i) {
    const T a = x[i], b = x[half + i], c = cosine[i], s = sine[i] * sign;
    out[i] = a * c - b * s;
    out[half + i] = b * c + a * s;
  }
}

template <class T>
void rope_heads(const RopeHeads<T>& r) {
  for (int64_t h = 0; h < r.heads; ++h) {
    const T* x = r.x + h * r.x_stride;
    T* out = r.out + h * r.out_stride;
    turn(x, out, r.cosine, r.sine, r.half, r.inverse ? (T)-1 : (T)1);
    if (x != out)
      for (int64_t i = 2 * r.half; i < r.d; ++i) out[i] = x[i];
  }
}

}  // namespace
}  // namespace wide

const RopeTable& rope_table() {
  static const RopeTable table{wide::rope_heads<float>, wide::rope_heads<double>};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
