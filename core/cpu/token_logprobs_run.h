// What token log-probabilities and their gradient share: the operands of one run, and tiles of logits.
#pragma once

#include "core/cpu/gemm.h"
#include "core/cpu/isa.h"
#include "core/cpu/rows.h"
#include "core/cpu/token_logprobs_table.h"

namespace plumb::cpu {

inline constexpr std::int64_t token_step = 48;   // rows: what threads share out
inline constexpr std::int64_t token_tile = 192;  // rows of logits that one thread holds

inline const TokenTable& token_kernels() {
  static const TokenTable& t = choose<TokenTable>(baseline::token_table, avx2::token_table, avx512::token_table);
  return t;
}

template <class T>
const T* at(const void* p, std::int64_t offset) {
  return p ? static_cast<const T*>(p) + offset : nullptr;
}
template <class T>
T* at(void* p, std::int64_t offset) {
  return p ? static_cast<T*>(p) + offset : nullptr;
}

// Numbers offset .. offset + n of p as T: themselves, or a widened copy of bf16.
template <class T>
const T* as_computed(const void* p, DType dtype, std::int64_t offset, std::int64_t n, Scratch& scratch) {
  if (dtype != DType::bf16 || !p) return at<T>(p, offset);
  T* wide = scratch.get<T>(n);
  convert(at<Bf16>(p, offset), 1, wide, 1, n);
  return wide;
}

// One run of the operands.
template <class T>
struct TokenRun {
  const kernels::TokenLogprobs& t;
  std::int64_t index, rows, first;  // rows of the run, and where they start in all of N
  const T *w, *bias;                // [V, d], [V]

  TokenRun(const kernels::TokenLogprobs& tokens, std::int64_t run, Scratch& scratch_w, Scratch& scratch_b)
      : t(tokens),
        index(run),
        rows(t.rows.examples * t.rows.rows),
        first(run * rows),
        w(as_computed<T>(t.w, t.weight_dtype, run * t.vocab * t.d, t.vocab * t.d, scratch_w)),
        bias(as_computed<T>(t.bias, t.dtype, run * t.vocab, t.vocab, scratch_b)) {}

  const std::int64_t* labels(std::int64_t row) const { return t.labels + first + row; }
  bool has_label(std::int64_t row, std::int64_t count) const {
    return std::any_of(labels(row), labels(row) + count, [](std::int64_t l) { return l >= 0; });
  }
  const T* x(std::int64_t row, std::int64_t count, Scratch& scratch) const {
    return as_computed<T>(t.x, t.dtype, (first + row) * t.d, count * t.d, scratch);
  }
  // What is known of the logits of some rows before their products are there.
  LogitRows<T> logits(std::int64_t row, std::int64_t count) const {
    return {.rows = count,
            .scale = static_cast<T>(t.scale),
            .softcap = static_cast<T>(t.softcap),
            .bias = bias,
            .labels = labels(row)};
  }
  // The products of those rows, whose inputs are at x, with n words.
  void multiply(const T* x, std::int64_t word, std::int64_t n, T* z, std::int64_t stride, LogitRows<T>& rows) const {
    rows.z = z, rows.stride = stride, rows.first = word, rows.n = n;
    gemm_serial(Gemm<T>{.m = rows.rows,
                        .n = n,
                        .k = t.d,
                        .a = x,
                        .a_row = t.d,
                        .a_col = 1,
                        .b = w + word * t.d,
                        .b_row = 1,
                        .b_col = t.d,
                        .c = z,
                        .c_row = stride});
  }
};

template <class T>
std::int64_t token_stride(std::int64_t n) {
  return padded<T>(n) + 64 / static_cast<std::int64_t>(sizeof(T));  // not a power of two
}

}  // namespace plumb::cpu
