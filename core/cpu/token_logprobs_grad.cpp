// Gradients of token log-probabilities. Chunks of rows keep the gradient of their logits in shared scratch; then weights
// are added to by tiles of words. Chunks end where the matmul contract cuts K, so that their size changes no bits.
#include "core/cpu/backend.h"
#include "core/cpu/token_logprobs_run.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

// Rows first .. first + count of a run: whole examples, or a part of one that starts at a multiple of k_block.
struct Chunk {
  std::int64_t first = 0, count = 0;
  bool whole_examples = true, starts_example = true, ends_example = true;
};

// f(chunk) over the rows of a run, each chunk at most about 8 MiB of logits.
template <class T, class F>
void each_chunk(const kernels::Rows& rows, std::int64_t vocab, const F& f) {
  constexpr std::int64_t k_block = kernels::Matmul::k_block, numbers = (8 << 20) / sizeof(T);
  const std::int64_t most = std::max(numbers / std::max<std::int64_t>(vocab, 1) / k_block, std::int64_t{2}) * k_block;
  if (rows.rows == 0) return;
  if (rows.rows <= most) {
    const std::int64_t examples = most / rows.rows;
    for (std::int64_t e = 0; e < rows.examples; e += examples)
      f(Chunk{.first = e * rows.rows, .count = std::min(examples, rows.examples - e) * rows.rows});
    return;
  }
  for (std::int64_t e = 0; e < rows.examples; ++e)
    for (std::int64_t i = 0; i < rows.rows; i += most)
      f(Chunk{.first = e * rows.rows + i,
              .count = std::min(most, rows.rows - i),
              .whole_examples = false,
              .starts_example = i == 0,
              .ends_example = i + most >= rows.rows});
}

template <class T>
class Gradients {
 public:
  Gradients(const kernels::TokenLogprobsGrad& g, const TokenRun<T>& run) : g_(g), t_(g.forward), run_(run) {
    scale_late_ = g.dbias && t_.scale != 1;  // the bias takes the gradient before the scale
    stride_ = token_stride<T>(t_.vocab);
  }

  void add(const Chunk& c) {
    static thread_local Scratch scratch, scratch_x;
    z_ = scratch.get<T>(c.count * stride_);
    x_ = clean_inputs(c, scratch_x);
    // The more rows at once, the fewer times the weights are packed; the logits of a tile stay in the second-level cache.
    constexpr std::int64_t cached = (512 << 10) / sizeof(T);
    const std::int64_t steps = (c.count + token_step - 1) / token_step, work = token_step * t_.vocab * (t_.d / 8 + 4);
    const std::int64_t tile = std::max<std::int64_t>(1, cached / (stride_ * token_step)) * token_step;
    const auto by_tile = [&](auto f) {
      parallel_for(steps, grain_for(work), [&](std::int64_t begin, std::int64_t end) {
        const std::int64_t last = std::min(c.count, end * token_step);
        for (std::int64_t row = begin * token_step; row < last; row += tile) f(row, std::min(tile, last - row));
      });
    };
    by_tile([&](std::int64_t row, std::int64_t count) {
      gradient_of_logits(c, row, count);
      if (g_.dx && !scale_late_) gradient_of_inputs(c, row, count);
    });
    if (g_.dbias) add_bias(c);
    if (g_.dx && scale_late_) by_tile([&](std::int64_t row, std::int64_t count) { gradient_of_inputs(c, row, count); });
    if (g_.dw) add_weights(c);
  }

 private:
  // Inputs of the chunk as T; zero where there is no label, so that nothing stored there counts (0 * inf).
  const T* clean_inputs(const Chunk& c, Scratch& scratch) const {
    const std::int64_t* labels = run_.labels(c.first);
    const T* x = run_.x(c.first, c.count, scratch);
    if (std::all_of(labels, labels + c.count, [](std::int64_t l) { return l >= 0; })) return x;
    T* clean = scratch.get<T>(c.count * t_.d);
    for (std::int64_t i = 0; i < c.count; ++i) {
      if (labels[i] < 0) std::fill_n(clean + i * t_.d, t_.d, T{0});
      else if (clean != x) std::copy_n(x + i * t_.d, t_.d, clean + i * t_.d);
    }
    return clean;
  }

  void gradient_of_logits(const Chunk& c, std::int64_t row, std::int64_t count) const {
    const std::int64_t n = run_.first + c.first + row;
    T* z = z_ + row * stride_;
    if (!run_.has_label(c.first + row, count)) return std::fill_n(z, count * stride_, T{0}), void();
    LogitRows<T> rows = run_.logits(c.first + row, count);
    run_.multiply(x_ + row * t_.d, 0, t_.vocab, z, stride_, rows);
    token_kernels().grad(T{})({.forward = rows,
                               .factor = scale_late_ ? T{1} : static_cast<T>(t_.scale),
                               .log_z = at<T>(t_.log_z, n),
                               .g_logp = at<T>(g_.g_logp, n),
                               .g_log_z = at<T>(g_.g_log_z, n)});
  }

  void gradient_of_inputs(const Chunk& c, std::int64_t row, std::int64_t count) const {
    static thread_local Scratch scratch;
    const std::int64_t offset = (run_.first + c.first + row) * t_.d;
    T* dx = t_.dtype == DType::bf16 ? scratch.get<T>(count * t_.d) : at<T>(g_.dx, offset);
    gemm_serial(Gemm<T>{.m = count,
                        .n = t_.d,
                        .k = t_.vocab,
                        .a = z_ + row * stride_,
                        .a_row = stride_,
                        .a_col = 1,
                        .b = run_.w,
                        .b_row = t_.d,
                        .b_col = 1,
                        .c = dx,
                        .c_row = t_.d});
    if (t_.dtype == DType::bf16) convert(dx, 1, at<Bf16>(g_.dx, offset), 1, count * t_.d);
  }

  // A left fold over examples of sums over rows; the sum of an example may span chunks. Then the late scale.
  void add_bias(const Chunk& c) {
    static thread_local Scratch scratch;
    T *sums = scratch.get<T>(t_.vocab), *dbias = at<T>(g_.dbias, run_.index * t_.vocab);
    const std::int64_t rows = c.whole_examples ? t_.rows.rows : c.count;
    parallel_for(t_.vocab, std::max<std::int64_t>(64, grain_for(c.count)), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = 0; row < c.count; ++row) {
        if (c.starts_example && row % rows == 0) std::fill(sums + begin, sums + end, T{0});
        T* z = z_ + row * stride_;
        for (std::int64_t j = begin; j < end; ++j) sums[j] += z[j];
        if (scale_late_)
          for (std::int64_t j = begin; j < end; ++j) z[j] *= static_cast<T>(t_.scale);
        if (c.ends_example && (row + 1) % rows == 0)
          for (std::int64_t j = begin; j < end; ++j) dbias[j] += sums[j];
      }
    });
  }

  void add_weights(const Chunk& c) const {
    constexpr std::int64_t step = 24;  // words: whole register tiles
    const std::int64_t steps = (t_.vocab + step - 1) / step, work = step * c.count * (t_.d / 8 + 4);
    T* dw = at<T>(g_.dw, run_.index * t_.vocab * t_.d);
    parallel_for(steps, grain_for(work), [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t word = begin * step, words = std::min(t_.vocab, end * step) - word;
      gemm_serial(Gemm<T>{.m = words,
                          .n = t_.d,
                          .k = c.count,
                          .a = z_ + word,
                          .a_row = 1,
                          .a_col = stride_,
                          .b = x_,
                          .b_row = t_.d,
                          .b_col = 1,
                          .c = dw + word * t_.d,
                          .c_row = t_.d,
                          .accumulate = true,
                          .k_example = c.whole_examples ? t_.rows.rows : 0});
    });
  }

  const kernels::TokenLogprobsGrad& g_;
  const kernels::TokenLogprobs& t_;
  const TokenRun<T>& run_;
  bool scale_late_ = false;
  std::int64_t stride_ = 0;
  T* z_ = nullptr;        // gradient of the logits of the chunk, rows stride_ apart
  const T* x_ = nullptr;  // inputs of the chunk, [count, d]
};

template <class T>
void backward(const kernels::TokenLogprobsGrad& g) {
  static thread_local Scratch scratch_w, scratch_b;
  const kernels::TokenLogprobs& t = g.forward;
  for (std::int64_t r = 0; r < t.rows.runs; ++r) {
    const TokenRun<T> run(t, r, scratch_w, scratch_b);
    Gradients<T> gradients(g, run);
    each_chunk<T>(t.rows, t.vocab, [&](const Chunk& c) { gradients.add(c); });
  }
}

template <class T>
std::size_t scratch_as(const kernels::TokenLogprobs& t) {
  std::int64_t rows = 0;
  each_chunk<T>(t.rows, t.vocab, [&](const Chunk& c) { rows = std::max(rows, c.count); });
  return static_cast<std::size_t>(rows * token_stride<T>(t.vocab)) * sizeof(T);
}

}  // namespace

std::size_t scratch_of(const kernels::TokenLogprobsGrad& g) {
  return g.forward.dtype == DType::f64 ? scratch_as<double>(g.forward) : scratch_as<float>(g.forward);
}

void CpuBackend::token_logprobs_grad(const kernels::TokenLogprobsGrad& t) {
  if (t.forward.dtype == DType::f64) backward<double>(t);
  else backward<float>(t);
}

}  // namespace plumb::cpu
