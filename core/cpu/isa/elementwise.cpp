// The elementwise loops of one instruction set.
#include "core/cpu/elementwise_table.h"
#include "core/cpu/isa/activations.h"
#include "core/cpu/isa/loops.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace {

using kernels::Binary;
using kernels::Unary;
using UnaryLoop = ElementwiseTable::UnaryLoop;
using BinaryLoop = ElementwiseTable::BinaryLoop;
using SelectLoop = ElementwiseTable::SelectLoop;

// Signed overflow wraps.
template <class T>
struct Wrapping {
  using type = T;
};
template <>
struct Wrapping<int64_t> {
  using type = uint64_t;
};
template <>
struct Wrapping<int32_t> {
  using type = uint32_t;
};
template <class T>
using wrapping = typename Wrapping<T>::type;

// Exact for every type.
template <class T>
UnaryLoop unary_exact(Unary op) {
  using W = wrapping<T>;
  switch (op) {
    case Unary::neg: return unary_scalars<T, T, [](T x) { return static_cast<T>(-static_cast<W>(x)); }>;
    case Unary::abs: return unary_scalars<T, T, [](T x) { return x <= 0 ? static_cast<T>(0 - static_cast<W>(x)) : x; }>;
    case Unary::sign: return unary_scalars<T, T, [](T x) { return (x > 0) ? T{1} : (x < 0) ? static_cast<T>(-1) : x; }>;
    case Unary::square:
      return unary_scalars<T, T, [](T x) { return static_cast<T>(static_cast<W>(x) * static_cast<W>(x)); }>;
    case Unary::relu: return unary_scalars<T, T, [](T x) { return x <= 0 ? T{} : x; }>;
    case Unary::logical_not: return unary_scalars<T, uint8_t, [](T x) { return x == 0; }>;
    default: return nullptr;
  }
}

template <class T>
UnaryLoop unary_of(Unary op) {
  using V = Vec<T>;
  switch (op) {
    case Unary::exp: return unary_vectors<T, [](V x) { return exp(x); }>;
    case Unary::expm1: return unary_vectors<T, [](V x) { return expm1(x); }>;
    case Unary::log: return unary_vectors<T, [](V x) { return log(x); }>;
    case Unary::log1p: return unary_vectors<T, [](V x) { return log1p_any(x); }>;
    case Unary::sqrt: return unary_vectors<T, [](V x) { return sqrt(x); }>;
    case Unary::rsqrt: return unary_vectors<T, [](V x) { return 1 / sqrt(x); }>;
    case Unary::reciprocal: return unary_vectors<T, [](V x) { return 1 / x; }>;
    case Unary::sin: return unary_vectors<T, [](V x) { return sleef_sin(x); }>;
    case Unary::cos: return unary_vectors<T, [](V x) { return sleef_cos(x); }>;
    case Unary::tanh: return unary_vectors<T, [](V x) { return tanh(x); }>;
    case Unary::sigmoid: return unary_vectors<T, [](V x) { return sigmoid(x); }>;
    case Unary::log_sigmoid: return unary_vectors<T, [](V x) { return log_sigmoid(x); }>;
    case Unary::softplus: return unary_vectors<T, [](V x) { return softplus(x); }>;
    case Unary::silu: return unary_vectors<T, [](V x) { return silu(x); }>;
    case Unary::gelu: return unary_vectors<T, [](V x) { return gelu(x); }>;
    case Unary::gelu_tanh: return unary_vectors<T, [](V x) { return gelu_tanh(x); }>;
    case Unary::erf: return unary_vectors<T, [](V x) { return sleef_erf(x); }>;
    case Unary::log1m_exp: return unary_vectors<T, [](V x) { return log1m_exp(x); }>;
    case Unary::floor: return unary_vectors<T, [](V x) { return floor(x); }>;
    case Unary::round: return unary_vectors<T, [](V x) { return round(x); }>;
    case Unary::abs: return unary_vectors<T, [](V x) { return abs(x); }>;
    case Unary::neg: return unary_vectors<T, [](V x) { return -x; }>;
    case Unary::is_finite: return unary_scalars<T, uint8_t, [](T x) { return x - x == 0; }>;
    default: return unary_exact<T>(op);
  }
}

UnaryLoop unary_integer(Unary op, int bytes) {
  return bytes == 8 ? unary_exact<int64_t>(op) : bytes == 4 ? unary_exact<int32_t>(op) : unary_exact<uint8_t>(op);
}

template <class T, bool A, bool B>
BinaryLoop binary_exact(Binary op) {
  using W = wrapping<T>;
  switch (op) {
    case Binary::add: return binary_scalars<T, T, [](T a, T b) { return static_cast<T>(W(a) + W(b)); }, A, B>;
    case Binary::sub: return binary_scalars<T, T, [](T a, T b) { return static_cast<T>(W(a) - W(b)); }, A, B>;
    case Binary::mul: return binary_scalars<T, T, [](T a, T b) { return static_cast<T>(W(a) * W(b)); }, A, B>;
    // NaN on either side is the answer.
    case Binary::maximum: return binary_scalars<T, T, [](T a, T b) { return (a > b || a != a) ? a : b; }, A, B>;
    case Binary::minimum: return binary_scalars<T, T, [](T a, T b) { return (a < b || a != a) ? a : b; }, A, B>;
    case Binary::equal: return binary_scalars<T, uint8_t, [](T a, T b) { return a == b; }, A, B>;
    case Binary::less: return binary_scalars<T, uint8_t, [](T a, T b) { return a < b; }, A, B>;
    case Binary::less_equal: return binary_scalars<T, uint8_t, [](T a, T b) { return a <= b; }, A, B>;
    case Binary::logical_and: return binary_scalars<T, uint8_t, [](T a, T b) { return (a != 0) & (b != 0); }, A, B>;
    case Binary::logical_or: return binary_scalars<T, uint8_t, [](T a, T b) { return (a != 0) | (b != 0); }, A, B>;
    default: return nullptr;
  }
}

template <class T, bool A, bool B>
BinaryLoop binary_of(Binary op) {
  using V = Vec<T>;
  switch (op) {
    case Binary::div: return binary_scalars<T, T, [](T a, T b) { return a / b; }, A, B>;
    case Binary::pow: return binary_vectors<T, [](V a, V b) { return sleef_pow(a, b); }, A, B>;
    case Binary::atan2: return binary_vectors<T, [](V a, V b) { return sleef_atan2(a, b); }, A, B>;
    case Binary::log_add_exp: return binary_vectors<T, [](V a, V b) { return log_add_exp(a, b); }, A, B>;
    case Binary::gelu_grad: return binary_vectors<T, [](V x, V g) { return gelu_slope(x) * g; }, A, B>;
    case Binary::gelu_tanh_grad: return binary_vectors<T, [](V x, V g) { return gelu_tanh_slope(x) * g; }, A, B>;
    case Binary::silu_grad: return binary_vectors<T, [](V x, V g) { return silu_slope(x) * g; }, A, B>;
    case Binary::tanh_grad: return binary_vectors<T, [](V y, V g) { return (1 - y) * (1 + y) * g; }, A, B>;
    case Binary::sigmoid_grad: return binary_vectors<T, [](V y, V g) { return y * (1 - y) * g; }, A, B>;
    default: return binary_exact<T, A, B>(op);
  }
}

template <class T>
BinaryLoop binary(Binary op, Splat s) {
  return s == Splat::none    ? binary_of<T, false, false>(op)
         : s == Splat::first ? binary_of<T, true, false>(op)
                             : binary_of<T, false, true>(op);
}
template <class T>
BinaryLoop binary_whole(Binary op, Splat s) {
  return s == Splat::none    ? binary_exact<T, false, false>(op)
         : s == Splat::first ? binary_exact<T, true, false>(op)
                             : binary_exact<T, false, true>(op);
}
BinaryLoop binary_integer(Binary op, int bytes, Splat s) {
  return bytes == 8   ? binary_whole<int64_t>(op, s)
         : bytes == 4 ? binary_whole<int32_t>(op, s)
                      : binary_whole<uint8_t>(op, s);
}

// Moves bits, whatever they mean.
template <class T, bool A, bool B>
void select_loop(const uint8_t* mask, const void* a_, const void* b_, void* out_, int64_t n) {
  const T *a = static_cast<const T*>(a_), *b = static_cast<const T*>(b_);
  T* out = static_cast<T*>(out_);
  const T all_a = A && n ? *a : T{}, all_b = B && n ? *b : T{};
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const T x = A ? all_a : a[i], y = B ? all_b : b[i];
    out[i] = mask[i] ? x : y;
  }
}
template <class T>
SelectLoop select_of(Splat s) {
  return s == Splat::none    ? select_loop<T, false, false>
         : s == Splat::first ? select_loop<T, true, false>
                             : select_loop<T, false, true>;
}
SelectLoop select(int bytes, Splat s) {
  return bytes == 8   ? select_of<uint64_t>(s)
         : bytes == 4 ? select_of<uint32_t>(s)
         : bytes == 2 ? select_of<uint16_t>(s)
                      : select_of<uint8_t>(s);
}

void bf16_to_f32(const uint16_t* x, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t u = static_cast<uint32_t>(x[i]) << 16;
    __builtin_memcpy(out + i, &u, sizeof u);
  }
}
void f32_to_bf16(const float* x, uint16_t* out, int64_t n) {  // to nearest, ties to even; NaN stays NaN
  for (int64_t i = 0; i < n; ++i) {
    uint32_t u;
    __builtin_memcpy(&u, x + i, sizeof u);
    const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, quiet = (u >> 16) | 0x40u;
    out[i] = static_cast<uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
  }
}

}  // namespace

const ElementwiseTable& elementwise_table() {
  static constexpr ElementwiseTable table{unary_of<float>, unary_of<double>, unary_integer,
                                          binary<float>,   binary<double>,   binary_integer,
                                          select,          bf16_to_f32,      f32_to_bf16};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
