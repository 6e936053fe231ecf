// Causal attention by blocks of query rows: the logits of a block live in scratch, each row takes an exact softmax.
#include "core/cpu/attention_block.h"
#include "core/cpu/backend.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

template <class T>
void forward_block(const QueryBlock<T>& block) {
  static thread_local Scratch scratch;
  const kernels::Attention& a = block.a;
  const std::int64_t width = block.width(), stride = logit_stride<T>(width);
  T* over_sum = scratch.get<T>(block.rows * stride + QueryBlock<T>::height);
  T* z = over_sum + QueryBlock<T>::height;
  const Head<T> q = head_of<T>(a.q, block.b, block.h), k = head_of<T>(a.k, block.b, block.key_head());
  const Head<T> v = head_of<T>(a.v, block.b, block.key_head()), out = head_of<T>(a.out, block.b, block.h);
  if (width > 0) multiply_transposed<T>(block.rows, width, block.d(), {q.row(block.first), q.stride}, k, z, stride);
  AttentionRows<T> rows = block.logits(z, stride, 0, width);
  rows.over_sum = over_sum;
  attention_kernels().weights(T{})(rows);
  weighted_sum<T>(block, z, stride, v, over_sum, {out.row(block.first), out.stride});
}

template <class T>
void forward(const kernels::Attention& a) {
  const std::int64_t batch = a.q.shape[0], length = a.q.shape[1], heads = a.q.shape[2], d = a.q.shape[3];
  const std::int64_t height = QueryBlock<T>::height, blocks = (length + height - 1) / height;
  const std::int64_t work = std::min(length, height) * a.k.shape[1] * (d / 8 + 4);
  parallel_for(batch * heads * blocks, grain_for(work), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % blocks * height;
      forward_block<T>({.a = a,
                        .b = i / blocks / heads,
                        .h = i / blocks % heads,
                        .first = first,
                        .rows = std::min(height, length - first)});
    }
  });
}

}  // namespace

void CpuBackend::attention(const kernels::Attention& a) {
  if (numel(a.q.shape) > 0) visit_float("attention", a.q.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

}  // namespace plumb::cpu
