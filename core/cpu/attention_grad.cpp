// The gradient of attention. Weights are computed again from the log-sum-exp, block by block of query rows. Gradients of
// keys and values are sums over the query heads of a group, then over blocks of query rows, both ascending.
#include "core/cpu/attention_block.h"
#include "core/cpu/backend.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

// A span of keys of one key head; dq is computed with it, or dk and dv, or all.
struct Span {
  std::int64_t b = 0, key_head = 0, begin = 0, end = 0;
  bool query_gradient = true, key_gradients = true;
};

template <class T>
bool all_zero(const T* x, std::int64_t n) {
  return std::all_of(x, x + n, [](T v) { return v == 0; });
}

// Query rows up to the last one with a gradient: padding is not looked at, whatever it holds.
template <class T>
std::int64_t rows_with_gradient(Head<T> dout, std::int64_t length, std::int64_t d) {
  while (length > 0 && all_zero(dout.row(length - 1), d)) --length;
  return length;
}

template <class T>
void clear(Head<T> x, std::int64_t begin, std::int64_t end, std::int64_t d) {
  for (std::int64_t t = begin; t < end; ++t) std::fill_n(x.row(t), d, T{0});
}

// c [keys, d] += a [rows, keys]^T b [rows, d]
template <class T>
void add_transposed(std::int64_t keys, std::int64_t d, std::int64_t rows, const T* a, std::int64_t a_stride, Head<T> b,
                    Head<T> c) {
  gemm_serial(Gemm<T>{.m = keys,
                      .n = d,
                      .k = rows,
                      .a = a,
                      .a_row = 1,
                      .a_col = a_stride,
                      .b = b.data,
                      .b_row = b.stride,
                      .b_col = 1,
                      .c = c.data,
                      .c_row = c.stride,
                      .accumulate = true});
}

template <class T>
void backward_block(const kernels::AttentionGrad& g, const QueryBlock<T>& block, const Span& span) {
  static thread_local Scratch scratch;
  const kernels::Attention& a = g.forward;
  const std::int64_t rows = block.rows, d = block.d(), begin = span.begin;
  const std::int64_t width = std::min(span.end, block.width()) - begin, stride = logit_stride<T>(width);
  const auto part = [&](const Raw& x, std::int64_t h, std::int64_t from) {
    const Head<T> head = head_of<T>(x, block.b, h);
    return Head<T>{head.row(from), head.stride};
  };
  const std::int64_t h = block.h, kh = span.key_head;
  const Head<T> q = part(a.q, h, block.first), k = part(a.k, kh, begin), v = part(a.v, kh, begin);
  const Head<T> out = part(a.out, h, block.first), dout = part(g.dout, h, block.first), dq = part(g.dq, h, block.first);
  if (width <= 0) {
    if (span.query_gradient) clear(dq, 0, rows, d);
    return;
  }
  T* products = scratch.get<T>(2 * rows * stride + QueryBlock<T>::height);  // rowsum(dout * out)
  T *z = products + QueryBlock<T>::height, *dp = z + rows * stride;
  for (std::int64_t i = 0; i < rows; ++i) products[i] = attention_kernels().dot(T{})(dout.row(i), out.row(i), d);
  multiply_transposed<T>(rows, width, d, q, k, z, stride);
  multiply_transposed<T>(rows, width, d, dout, v, dp, stride);
  attention_kernels().grad(T{})({.forward = block.logits(z, stride, begin, width), .dp = dp, .d = products});
  if (span.key_gradients) {
    add_transposed<T>(width, d, rows, z, stride, dout, part(g.dv, kh, begin));
    add_transposed<T>(width, d, rows, dp, stride, q, part(g.dk, kh, begin));
  }
  if (span.query_gradient) weighted_sum<T>(block, dp, stride, k, nullptr, dq);
}

// All query blocks of one query head against a span of keys.
template <class T>
void backward_head(const kernels::AttentionGrad& g, std::int64_t h, const Span& span) {
  const kernels::Attention& a = g.forward;
  const std::int64_t length = a.q.shape[1], d = a.q.shape[3], height = QueryBlock<T>::height;
  const std::int64_t rows = rows_with_gradient(head_of<T>(g.dout, span.b, h), length, d);
  for (std::int64_t first = 0; first < rows; first += height)
    backward_block<T>(g, {.a = a, .b = span.b, .h = h, .first = first, .rows = std::min(height, rows - first)}, span);
  if (span.query_gradient) clear(head_of<T>(g.dq, span.b, h), rows, length, d);
}

template <class T>
void backward_span(const kernels::AttentionGrad& g, const Span& span) {
  const kernels::Attention& a = g.forward;
  const std::int64_t d = a.q.shape[3], group = a.q.shape[2] / a.k.shape[2];
  if (span.key_gradients) {
    clear(head_of<T>(g.dk, span.b, span.key_head), span.begin, span.end, d);
    clear(head_of<T>(g.dv, span.b, span.key_head), span.begin, span.end, d);
  }
  for (std::int64_t h = span.key_head * group; h < (span.key_head + 1) * group; ++h) backward_head<T>(g, h, span);
}

// With few key heads for many threads: dq by query head, then dk and dv by spans of keys. Each logit is computed twice;
// all bits are those of the single pass.
template <class T>
void backward_split(const kernels::AttentionGrad& g) {
  constexpr std::int64_t span = 96;
  const kernels::Attention& a = g.forward;
  const std::int64_t heads = a.q.shape[2], key_heads = a.k.shape[2], keys = a.k.shape[1],
                     spans = (keys + span - 1) / span;
  parallel_for(a.q.shape[0] * heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t h = i % heads;
      backward_head<T>(g, h,
                       {.b = i / heads, .key_head = h / (heads / key_heads), .end = keys, .key_gradients = false});
    }
  });
  parallel_for(a.q.shape[0] * key_heads * spans, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % spans * span;
      backward_span<T>(g, {.b = i / spans / key_heads,
                           .key_head = i / spans % key_heads,
                           .begin = first,
                           .end = std::min(keys, first + span),
                           .query_gradient = false});
    }
  });
}

template <class T>
void backward(const kernels::AttentionGrad& g) {
  const kernels::Attention& a = g.forward;
  const std::int64_t batch = a.q.shape[0], key_heads = a.k.shape[2], keys = a.k.shape[1], items = batch * key_heads;
  const std::int64_t work =
      a.q.shape[1] * keys * a.q.shape[2] / std::max<std::int64_t>(key_heads, 1) * (a.q.shape[3] / 2 + 8);
  const std::int64_t threads = num_threads();
  if (items % threads != 0 && items < 4 * threads && work * items > 1 << 22) return backward_split<T>(g);
  parallel_for(items, grain_for(work), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      backward_span<T>(g, {.b = i / key_heads, .key_head = i % key_heads, .end = keys});
  });
}

}  // namespace

void CpuBackend::attention_grad(const kernels::AttentionGrad& a) {
  visit_float("attention_grad", a.forward.q.dtype, [&](auto zero) { backward<decltype(zero)>(a); });
}

}  // namespace plumb::cpu
