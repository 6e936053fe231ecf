// Elementwise operators of the CPU: which loop, in which type, walked over the operands.
#include <algorithm>
#include <cstring>

#include "core/cpu/backend.h"
#include "core/cpu/convert.h"
#include "core/cpu/elementwise_table.h"
#include "core/cpu/isa.h"
#include "core/cpu/strided.h"

namespace plumb::cpu {
namespace {

using kernels::Binary;
using kernels::Unary;

const ElementwiseTable& table() {
  static const ElementwiseTable& t =
      choose<ElementwiseTable>(baseline::elementwise_table, avx2::elementwise_table, avx512::elementwise_table);
  return t;
}

// The type that loops compute in.
DType compute_type(DType t) { return t == DType::bf16 ? DType::f32 : t; }

// In additions: decides only from what size on a loop is worth a second thread.
std::int64_t cost_of(Unary op) {
  switch (op) {
    case Unary::neg:
    case Unary::abs:
    case Unary::sign:
    case Unary::square:
    case Unary::relu:
    case Unary::floor:
    case Unary::round:
    case Unary::is_finite:
    case Unary::logical_not: return 1;
    default: return 4;
  }
}
std::int64_t cost_of(Binary op) {
  switch (op) {
    case Binary::pow:
    case Binary::log_add_exp:
    case Binary::atan2:
    case Binary::gelu_grad:
    case Binary::gelu_tanh_grad:
    case Binary::silu_grad: return 4;
    default: return 1;
  }
}

ElementwiseTable::UnaryLoop unary_loop(Unary op, DType t) {
  const auto loop = t == DType::f32   ? table().unary_f32(op)
                    : t == DType::f64 ? table().unary_f64(op)
                                      : table().unary_integer(op, static_cast<int>(size_of(t)));
  if (!loop) fail("unary", "operator {} is not defined for {}", static_cast<int>(op), name_of(t));
  return loop;
}

ElementwiseTable::BinaryLoop binary_loop(Binary op, DType t, Splat splat) {
  const auto loop = t == DType::f32   ? table().binary_f32(op, splat)
                    : t == DType::f64 ? table().binary_f64(op, splat)
                                      : table().binary_integer(op, static_cast<int>(size_of(t)), splat);
  if (!loop) fail("binary", "operator {} is not defined for {}", static_cast<int>(op), name_of(t));
  return loop;
}

// Neighbours in the same order everywhere, without conversions: no walk is needed.
bool is_flat(const Raw& x, DType compute) {
  std::int64_t expected = 1;
  for (int d = x.shape.size() - 1; d >= 0; --d) {
    if (x.strides[d] != expected && x.shape[d] != 1) return false;
    expected *= x.shape[d];
  }
  return x.dtype == compute;
}

// Calls piece(first, n) for pieces of the elements of `out`; pointers advance by bytes.
template <class Piece>
void each_piece(const Raw& out, std::int64_t cost, Piece&& piece) {
  parallel_for(numel(out.shape), grain_for(cost),
               [&](std::int64_t begin, std::int64_t end) { piece(begin, end - begin); });
}
std::byte* at(const Raw& x, std::int64_t i) {
  return static_cast<std::byte*>(x.data) + i * static_cast<std::int64_t>(size_of(x.dtype));
}

void run_binary(Binary op, const Raw& a, const Raw& b, DType compute_a, DType compute_b, const Raw& out) {
  if (is_flat(out, compute_type(out.dtype)) && is_flat(a, compute_a) && is_flat(b, compute_b)) {
    const auto loop = binary_loop(op, compute_a, Splat::none);
    return each_piece(out, cost_of(op),
                      [&](std::int64_t i, std::int64_t n) { loop(at(a, i), at(b, i), at(out, i), n); });
  }
  const Raw* operands[] = {&out, &a, &b};
  const DType compute[] = {compute_type(out.dtype), compute_a, compute_b};
  const Walk walk(operands, compute, 3, 0b110);
  const Splat splat = walk.splat(1) ? Splat::first : walk.splat(2) ? Splat::second : Splat::none;
  const auto loop = binary_loop(op, compute_a, splat);
  walk.run(cost_of(op), [loop](void* const* p, std::int64_t n) { loop(p[1], p[2], p[0], n); });
}

using CopyLoop = void (*)(const void* x, void* out, std::int64_t n);

template <class From, class To, bool splat>
void copy_loop(const void* x_, void* out_, std::int64_t n) {
  const From* x = static_cast<const From*>(x_);
  To* out = static_cast<To*>(out_);
  if constexpr (splat) std::fill_n(out, n, convert<To>(*x));
  else if constexpr (std::is_same_v<From, To>) std::memcpy(out, x, static_cast<std::size_t>(n) * sizeof(To));
  else if constexpr (std::is_same_v<From, Bf16> && std::is_same_v<To, float>) table().bf16_to_f32(&x->bits, out, n);
  else if constexpr (std::is_same_v<From, float> && std::is_same_v<To, Bf16>) table().f32_to_bf16(x, &out->bits, n);
  else
    for (std::int64_t i = 0; i < n; ++i) out[i] = convert<To>(x[i]);
}

CopyLoop copy_loop_for(DType from, DType to, bool splat) {
  return visit_dtype(from, [&](auto f) {
    return visit_dtype(to, [&](auto t) -> CopyLoop {
      using From = decltype(f);
      using To = decltype(t);
      return splat ? copy_loop<From, To, true> : copy_loop<From, To, false>;
    });
  });
}

// A constant of the shape of `out`.
Raw constant_like(const Raw& out, void* value, DType t) {
  return {value, t, out.shape, Strides::filled(out.shape.size(), 0)};
}

}  // namespace

void CpuBackend::copy(const Raw& x, const Raw& out) {
  const Raw* operands[] = {&out, &x};
  const DType own[] = {out.dtype, x.dtype};
  const Walk walk(operands, own, 2, 0b10);
  const CopyLoop loop = copy_loop_for(x.dtype, out.dtype, walk.splat(1));
  walk.run(1, [loop](void* const* p, std::int64_t n) { loop(p[1], p[0], n); });
}

void CpuBackend::fill(const Raw& out, double value) { copy(constant_like(out, &value, DType::f64), out); }

void CpuBackend::unary(Unary op, const Raw& x, const Raw& out) {
  const Raw* operands[] = {&out, &x};
  const DType compute[] = {compute_type(out.dtype), compute_type(x.dtype)};
  const auto loop = unary_loop(op, compute[1]);
  if (is_flat(out, compute[0]) && is_flat(x, compute[1]))
    return each_piece(out, cost_of(op), [&](std::int64_t i, std::int64_t n) { loop(at(x, i), at(out, i), n); });
  const Walk walk(operands, compute, 2, 0);
  walk.run(cost_of(op), [loop](void* const* p, std::int64_t n) { loop(p[1], p[0], n); });
}

void CpuBackend::binary(Binary op, const Raw& a, const Raw& b, const Raw& out) {
  run_binary(op, a, b, compute_type(a.dtype), compute_type(b.dtype), out);
}

// The constant is not rounded to bf16.
void CpuBackend::scalar(Binary op, const Raw& x, double s, bool scalar_first, const Raw& out) {
  const DType t = compute_type(x.dtype);
  visit_dtype(t, [&](auto zero) {
    auto value = convert<decltype(zero)>(s);
    const Raw constant = constant_like(out, &value, t);
    if (scalar_first) run_binary(op, constant, x, t, t, out);
    else run_binary(op, x, constant, t, t, out);
  });
}

void CpuBackend::select(const Raw& mask, const Raw& a, const Raw& b, const Raw& out) {
  const Raw* operands[] = {&out, &mask, &a, &b};
  const DType own[] = {out.dtype, mask.dtype, a.dtype, b.dtype};
  const Walk walk(operands, own, 4, 0b1100);
  const Splat splat = walk.splat(2) ? Splat::first : walk.splat(3) ? Splat::second : Splat::none;
  const auto loop = table().select(static_cast<int>(size_of(out.dtype)), splat);
  walk.run(
      1, [loop](void* const* p, std::int64_t n) { loop(static_cast<const std::uint8_t*>(p[1]), p[2], p[3], p[0], n); });
}

}  // namespace plumb::cpu
