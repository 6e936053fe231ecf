// Log-probabilities of labels, and their gradient, by chunks of rows: a product into scratch, a block for each row. No
// more than a chunk of the [N, V] matrix is ever in memory.
#include <limits>

#include "core/cuda/backend.h"
#include "core/cuda/fold.h"
#include "core/cuda/functions.h"

namespace plumb::cuda {
namespace {

constexpr i64 chunk_bytes = i64{64} << 20;

template <class A, class X>
struct LogitRows {  // `rows` rows of logits [rows, vocab] of one run, before scale and bias
  i64 rows, vocab;
  A scale, cap;
  const A* logits;
  const X* bias;
  const i64* labels;
  A *logp, *log_z;
};

template <class A, class X>
__device__ A logit_of(const LogitRows<A, X>& s, i64 row, i64 i) {
  A z = s.scale * s.logits[row * s.vocab + i];
  if (s.bias) z += widen(s.bias[i]);
  return capped(z, s.cap);
}

template <class A, class X>
__global__ void logprob_kernel(LogitRows<A, X> s) {
  __shared__ A shared[most_row_threads];
  for (i64 row = blockIdx.x; row < s.rows; row += gridDim.x) {
    const i64 label = s.labels[row];
    A highest = -std::numeric_limits<A>::infinity(), sum = 0;
    for (i64 i = threadIdx.x; i < s.vocab; i += blockDim.x) highest = Larger{}(highest, logit_of(s, row, i));
    highest = block_tree(highest, shared, Larger{});
    for (i64 i = threadIdx.x; i < s.vocab; i += blockDim.x) sum += std::exp(logit_of(s, row, i) - highest);
    sum = block_tree(sum, shared, Add{});
    if (threadIdx.x != 0) continue;
    const A log_z = label < 0 ? A{0} : highest + std::log(sum);
    if (s.logp) s.logp[row] = label < 0 ? A{0} : logit_of(s, row, label) - log_z;
    if (s.log_z) s.log_z[row] = log_z;
  }
}

// Gradients of the logits before the cap (those of the bias), times nothing yet: the scale goes into the products.
template <class A, class X>
__global__ void logit_grad_kernel(LogitRows<A, X> s, const A* g_logp, const A* g_log_z, A* grads) {
  const i64 count = s.rows * s.vocab;
  for (i64 item = first_item(); item < count; item += all_threads()) {
    const i64 row = item / s.vocab, i = item % s.vocab, label = s.labels[row];
    const A z = logit_of(s, row, i), p = std::exp(z - s.log_z[row]);
    const A g = g_logp ? g_logp[row] : A{0}, gz = g_log_z ? g_log_z[row] : A{0};
    const A dz = (i == label ? g : A{0}) - g * p + gz * p;
    grads[item] = label < 0 ? A{0} : dz * capped_slope(z, s.cap);
  }
}

// The operands of the products, in the dtype they are multiplied in: bf16 where the weights are.
struct Operands {
  Raw x, w;
  DType sums;  // of the logits
  Scratch copies[2];
};

Raw slice_of(const Raw& x, int axis, i64 begin, i64 count) {
  Raw y = x;
  y.data = static_cast<char*>(x.data) + begin * x.strides[axis] * i64(size_of(x.dtype));
  y.shape[axis] = count;
  return y;
}
Raw run_of(const Raw& x, i64 run) {
  Raw y = slice_of(x, 0, run, 1);
  y.shape.erase(0);
  y.strides.erase(0);
  return y;
}
Raw transposed(const Raw& x) { return {x.data, x.dtype, {x.shape[1], x.shape[0]}, {x.strides[1], x.strides[0]}}; }

Operands operands_of(CudaBackend& backend, const kernels::TokenLogprobs& t) {
  const i64 rows = t.rows.examples * t.rows.rows;
  const Raw x = contiguous(const_cast<void*>(t.x), t.dtype, {t.rows.runs, rows, t.d});
  const Raw w = contiguous(const_cast<void*>(t.w), t.weight_dtype, {t.rows.runs, t.vocab, t.d});
  Operands o{x, w, t.dtype == DType::f64 ? DType::f64 : DType::f32, {}};
  const DType products = t.weight_dtype;
  if (t.dtype != products) {
    o.copies[0] = Scratch(numel(x.shape) * i64(size_of(products)), backend.stream(), "token_logprobs");
    o.x = contiguous(o.copies[0].as(), products, x.shape);
    backend.copy(x, o.x);
  }
  return o;
}

// Rows of a chunk: whole examples where the gradient is folded over them.
i64 rows_a_chunk(const kernels::TokenLogprobs& t, DType sums, bool whole_examples) {
  const i64 fit = chunk_bytes / (t.vocab * i64(size_of(sums))), least = whole_examples ? t.rows.rows : 1;
  const i64 rows = fit < least ? least : whole_examples ? fit / least * least : fit;
  const i64 all = t.rows.examples * t.rows.rows;
  return rows < all ? rows : all;
}

template <class A, class X>
LogitRows<A, X> rows_of(const kernels::TokenLogprobs& t, const A* logits, i64 run, i64 row, i64 rows) {
  return {rows,
          t.vocab,
          static_cast<A>(t.scale),
          static_cast<A>(t.softcap),
          logits,
          t.bias ? static_cast<const X*>(t.bias) + run * t.vocab : nullptr,
          t.labels + row,
          t.logp ? static_cast<A*>(t.logp) + row : nullptr,
          t.log_z ? static_cast<A*>(t.log_z) + row : nullptr};
}

template <class F>
void visit_types(const kernels::TokenLogprobs& t, F&& f) {  // f(sum type, type of x and bias)
  if (t.dtype == DType::f64) return f(double{}, double{});
  if (t.dtype == DType::bf16) return f(float{}, Bf16{});
  f(float{}, float{});
}

// Calls f(run, first row of all, rows, first row of the run) on every chunk.
template <class F>
void each_chunk(const kernels::TokenLogprobs& t, i64 step, F&& f) {
  const i64 rows = t.rows.examples * t.rows.rows;
  for (i64 run = 0; run < t.rows.runs; ++run) {
    for (i64 first = 0; first < rows; first += step)
      f(run, run * rows + first, first + step < rows ? step : rows - first, first);
  }
}

}  // namespace

void CudaBackend::token_logprobs(const kernels::TokenLogprobs& t) {
  if (t.rows.runs * t.rows.examples * t.rows.rows == 0) return;
  const Operands o = operands_of(*this, t);
  const i64 step = rows_a_chunk(t, o.sums, false);
  const Scratch memory = scratch(step * t.vocab * i64(size_of(o.sums)), "token_logprobs");
  each_chunk(t, step, [&](i64 run, i64 row, i64 rows, i64 first) {
    const Raw logits = contiguous(memory.as(), o.sums, {rows, t.vocab});
    product({{slice_of(run_of(o.x, run), 0, first, rows), transposed(run_of(o.w, run)), logits}});
    visit_types(t, [&](auto sum, auto input) {
      using A = decltype(sum);
      using X = decltype(input);
      launch(stream(), rows < most_blocks ? rows : most_blocks, row_threads(t.vocab), logprob_kernel<A, X>,
             rows_of<A, X>(t, memory.as<A>(), run, row, rows));
    });
  });
}

void CudaBackend::token_logprobs_grad(const kernels::TokenLogprobsGrad& g) {
  const kernels::TokenLogprobs& t = g.forward;
  if (t.rows.runs * t.rows.examples * t.rows.rows == 0) return;
  const Operands o = operands_of(*this, t);
  const i64 step = rows_a_chunk(t, o.sums, true), elements = step * t.vocab;
  const Scratch memory = scratch(elements * i64(size_of(o.sums)), "token_logprobs_grad");
  const Scratch narrow_memory =
      scratch(o.x.dtype == o.sums ? 0 : elements * i64(size_of(o.x.dtype)), "token_logprobs_grad");
  each_chunk(t, step, [&](i64 run, i64 row, i64 rows, i64 first) {
    const Raw grads = contiguous(memory.as(), o.sums, {rows, t.vocab}), x = slice_of(run_of(o.x, run), 0, first, rows);
    product({{x, transposed(run_of(o.w, run)), grads}});
    visit_types(t, [&](auto sum, auto input) {
      using A = decltype(sum);
      using X = decltype(input);
      const auto *g_logp = static_cast<const A*>(g.g_logp), *g_log_z = static_cast<const A*>(g.g_log_z);
      launch_over(stream(), rows * t.vocab, logit_grad_kernel<A, X>, rows_of<A, X>(t, memory.as<A>(), run, row, rows),
                  g_logp ? g_logp + row : nullptr, g_log_z ? g_log_z + row : nullptr, memory.as<A>());
    });
    if (g.dbias) {
      Raw total = contiguous(g.dbias, o.sums, {t.rows.runs, t.vocab});
      total = slice_of(total, 0, run, 1);
      fold_rows(contiguous(memory.as(), o.sums, {1, rows / t.rows.rows, t.rows.rows, t.vocab}), total);
    }
    Raw factor = grads;
    if (o.x.dtype != o.sums) {
      factor = contiguous(narrow_memory.as(), o.x.dtype, grads.shape);
      copy(grads, factor);
    }
    if (g.dx) {
      const Raw dx = contiguous(g.dx, t.dtype, {t.rows.runs * t.rows.examples * t.rows.rows, t.d});
      product({{factor, run_of(o.w, run), slice_of(dx, 0, row, rows)}, t.scale});
    }
    if (g.dw) {
      const Raw dw = run_of(contiguous(g.dw, o.sums, {t.rows.runs, t.vocab, t.d}), run);
      product({{transposed(factor), x, dw, true, t.rows.rows}, t.scale});
    }
  });
}

}  // namespace plumb::cuda
