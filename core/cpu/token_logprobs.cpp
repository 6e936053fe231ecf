// Log-probabilities of labels and their gradients, by tiles of rows: the logits never leave scratch.
#include <limits>

#include "core/cpu/backend.h"
#include "core/cpu/token_logprobs_run.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

constexpr std::int64_t word_block = 2048;  // log Z is joined over blocks of so many words, whatever the rows

template <class T>
void forward_tile(const TokenRun<T>& run, std::int64_t row, std::int64_t count) {
  static thread_local Scratch scratch, scratch_x;
  const kernels::TokenLogprobs& t = run.t;
  const std::int64_t stride = token_stride<T>(std::min(t.vocab, word_block));
  T* z = scratch.get<T>(token_tile * (stride + 3));
  T *top = z + token_tile * stride, *total = top + token_tile, *label_logit = total + token_tile;
  std::fill_n(top, token_tile, -std::numeric_limits<T>::infinity());
  std::fill_n(total, 2 * token_tile, T{0});
  LogitRows<T> rows = run.logits(row, count);
  rows.top = top, rows.total = total, rows.label_logit = label_logit;
  if (run.has_label(row, count)) {
    const T* x = run.x(row, count, scratch_x);
    for (std::int64_t word = 0; word < t.vocab; word += word_block) {
      run.multiply(x, word, std::min(word_block, t.vocab - word), z, stride, rows);
      token_kernels().add(T{})(rows);
    }
  }
  token_kernels().finish(T{})(rows, at<T>(t.logp, run.first + row), at<T>(t.log_z, run.first + row));
}

template <class T>
void forward(const kernels::TokenLogprobs& t) {
  static thread_local Scratch scratch_w, scratch_b;
  for (std::int64_t r = 0; r < t.rows.runs; ++r) {
    const TokenRun<T> run(t, r, scratch_w, scratch_b);
    parallel_for((run.rows + token_step - 1) / token_step, grain_for(token_step * t.vocab * (t.d / 8 + 4)),
                 [&](std::int64_t begin, std::int64_t end) {
                   const std::int64_t last = std::min(run.rows, end * token_step);
                   for (std::int64_t row = begin * token_step; row < last; row += token_tile)
                     forward_tile(run, row, std::min(token_tile, last - row));
                 });
  }
}

}  // namespace

void CpuBackend::token_logprobs(const kernels::TokenLogprobs& t) {
  if (t.dtype == DType::f64) forward<double>(t);
  else forward<float>(t);
}

}  // namespace plumb::cpu
