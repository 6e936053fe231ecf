// What attention and its gradient share: a block of query rows of one head, and the keys it sees.
#pragma once

#include <cmath>

#include "core/cpu/attention_table.h"
#include "core/cpu/gemm.h"
#include "core/cpu/isa.h"
#include "core/cpu/rows.h"

namespace plumb::cpu {

inline const AttentionTable& attention_kernels() {
  static const AttentionTable& t =
      choose<AttentionTable>(baseline::attention_table, avx2::attention_table, avx512::attention_table);
  return t;
}

// One head of a [B, T, H, d] tensor: rows of d numbers, `stride` apart; the numbers of keys may be `step` apart.
template <class T>
struct Head {
  T* data = nullptr;
  std::int64_t stride = 0, step = 1;
  T* row(std::int64_t t) const { return data + t * stride; }
};
template <class T>
Head<T> head_of(const Raw& x, std::int64_t b, std::int64_t h) {
  return {static_cast<T*>(x.data) + b * x.strides[0] + h * x.strides[2], x.strides[1], x.strides[3]};
}

// Query rows first .. first + rows of head h of example b. The bits of a row do not depend on the cut into blocks.
template <class T>
struct QueryBlock {
  static constexpr std::int64_t height = 48;
  const kernels::Attention& a;
  std::int64_t b = 0, h = 0, first = 0, rows = 0;

  std::int64_t heads() const { return a.q.shape[2]; }
  std::int64_t d() const { return a.q.shape[3]; }
  std::int64_t key_head() const { return h / (heads() / a.k.shape[2]); }
  std::int64_t length() const { return a.kv_length ? a.kv_length[b] : a.k.shape[1]; }
  // How many keys row i of the block sees; not negative.
  std::int64_t seen(std::int64_t i) const {
    const std::int64_t n = a.causal ? length() - a.q.shape[1] + first + i + 1 : length();
    return std::clamp<std::int64_t>(n, 0, a.k.shape[1]);
  }
  std::int64_t width() const { return seen(rows - 1); }
  std::int64_t stat() const { return (b * heads() + h) * a.q.shape[1] + first; }  // in [B, H, T]
  T* stat_of(void* p) const { return p ? static_cast<T*>(p) + stat() : nullptr; }

  // The rows of logits z against keys first_key .. first_key + width.
  AttentionRows<T> logits(T* z, std::int64_t stride, std::int64_t first_key, std::int64_t width) const {
    const std::int64_t visible = a.causal ? length() - a.q.shape[1] + first + 1 : length();
    return {
        .z = z,
        .rows = rows,
        .stride = stride,
        .width = width,
        .visible = visible - first_key,
        .step = a.causal ? 1 : 0,
        .scale = static_cast<T>(a.scale),
        .softcap = static_cast<T>(a.softcap),
        .squared_relu = a.squared_relu,
        .relu_scale = static_cast<T>(1 / std::sqrt(static_cast<double>(a.relu_length ? a.relu_length : a.k.shape[1]))),
        .log_sum_exp = stat_of(a.log_sum_exp),
        .max_logit = stat_of(a.max_logit),
        .entropy = stat_of(a.entropy)};
  }
};

// A row of logits in scratch: whole cache lines, and not a power of two.
template <class T>
std::int64_t logit_stride(std::int64_t width) {
  return padded<T>(width) + 64 / static_cast<std::int64_t>(sizeof(T));
}

// c [m, n] = a [m, d] . b [n, d]^T
template <class T>
void multiply_transposed(std::int64_t m, std::int64_t n, std::int64_t d, Head<T> a, Head<T> b, T* c,
                         std::int64_t c_row) {
  gemm_serial(Gemm<T>{.m = m,
                      .n = n,
                      .k = d,
                      .a = a.data,
                      .a_row = a.stride,
                      .a_col = 1,
                      .b = b.data,
                      .b_row = b.step,
                      .b_col = b.stride,
                      .c = c,
                      .c_row = c_row});
}

// out [rows, d] = diag(by) weights [rows, keys] values [keys, d] (by null = 1), where row i has weight on its first
// seen(i) keys alone. What is stored at other keys does not matter, though it were infinite (0 * inf): a row that comes
// out not finite is computed again from its own keys.
template <class T>
void weighted_sum(const QueryBlock<T>& block, const T* weights, std::int64_t stride, Head<T> values, const T* by,
                  Head<T> out) {
  const std::int64_t width = block.width(), d = block.d();
  const auto multiply = [&](std::int64_t row, std::int64_t rows, std::int64_t keys) {
    if (keys > 0)
      return gemm_serial(Gemm<T>{.m = rows,
                                 .n = d,
                                 .k = keys,
                                 .a = weights + row * stride,
                                 .a_row = stride,
                                 .a_col = 1,
                                 .b = values.data,
                                 .b_row = values.stride,
                                 .b_col = 1,
                                 .c = out.row(row),
                                 .c_row = out.stride});
    for (std::int64_t i = row; i < row + rows; ++i) std::fill_n(out.row(i), d, T{0});
  };
  const auto scale = attention_kernels().scale(T{});
  multiply(0, block.rows, width);
  for (std::int64_t i = 0; i < block.rows; ++i) {
    const T factor = by ? by[i] : T{1};
    if (scale(out.row(i), d, factor) || block.seen(i) == width) continue;
    multiply(i, 1, block.seen(i));
    scale(out.row(i), d, factor);
  }
}

}  // namespace plumb::cpu
