// The one page of raw kernels. Everything above it (tensors, gradients, layers) is the same for every device; a device
// is an implementation of this page: core/cpu (oneDNN + OpenMP) and core/cuda (cuBLAS + own kernels).
//
// Kernels check nothing: callers have checked shapes, dtypes and devices. An operand `Raw` is a strided window. Unless
// said otherwise dtypes agree, outputs do not overlap inputs (elementwise kernels may work exactly in place), and any
// dimension may be zero. Floating dtypes are f64, f32 and bf16; bf16 computes in f32.
//
// Order of additions (the promise of equal bits rests on it):
//   products    each element is (p0 + p1) + ..., p a chain of fma over at most k_block consecutive k, see Matmul.
//   reduce      a fixed tree by shape alone.
//   *_grad sums over rows for parameters (Rows): a left fold, example by example, into what the output already holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/dtype.h"
#include "core/kernel_ops.h"
#include "core/shape.h"

namespace plumb {

enum class DeviceKind : std::uint8_t { cpu, cuda, dry };
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  std::int8_t index = 0;
  friend bool operator==(Device, Device) = default;
};
inline constexpr Device cpu_device{};
inline constexpr Device dry_device{DeviceKind::dry};  // counts memory, computes nothing: core/dry
std::string to_string(Device device);                 // "cpu", "cuda:0", "dry"

// A strided window on memory of one device; strides count elements and may be zero (broadcast) or negative.
struct Raw {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  Strides strides;
};

namespace kernels {

// C [batch.., M, N] = (accumulate ? C : 0) + A [batch.., M, K] B [batch.., K, N]; batch dims of A and B may have stride 0.
// K is cut at every multiple of k_example (0 = never), and each part again at multiples of k_block from its start.
// f32 and f64: each part is one chain of fma; on the CPU denormal numbers are zeros, in A, B and C and as results. A and B
// may be bf16 with C f32 or bf16 (f32 accumulation): both bf16, the order is that of the instructions the CPU has
// (core/cpu/isa/gemm_bf16.cpp, gemm_amx.cpp).
struct Matmul {
  static constexpr std::int64_t k_block = 96;
  Raw a, b, c;
  bool accumulate = false;
  std::int64_t k_example = 0;
};

// How the rows of a [runs, examples, rows, ...] tensor feed a gradient of a parameter [runs, ...].
struct Rows {
  std::int64_t runs = 1, examples = 1, rows = 1;
};

// y = (x - mean) * rstd * (gain + gain_offset) + bias over the last axis (n), mean = 0 when not centred. A row whose
// squares overflow gives NaN.
// x, y: contiguous [runs * examples * rows, n]; gain, bias: contiguous [runs, n] or null; mean, rstd: [rows..] of f32 (f64 for f64).
struct Norm {
  Rows rows;
  std::int64_t n = 0;
  bool center = true;
  double eps = 1e-6, gain_offset = 0;
  DType dtype = DType::f32;
  const void *x = nullptr, *gain = nullptr, *bias = nullptr;
  void *y = nullptr, *mean = nullptr, *rstd = nullptr;
};
struct NormGrad {
  Norm forward;  // x, gain, mean, rstd as the forward pass left them
  const void* dy = nullptr;
  void* dx = nullptr;
  void *dgain = nullptr, *dbias = nullptr;  // [runs, n], accumulated into by a left fold over examples; or null
};

// Rotary embedding of x [B, T, H, d] (rotates pairs (i, i + rotary/2) of the first `rotary` entries by
// (position) * base^(-2i/rotary)); position = start[b] + t, start null = 0. inverse turns back (the gradient).
struct Rope {
  Raw x, out;
  double base = 10000;
  std::int64_t rotary = 0;
  const std::int64_t* start = nullptr;  // [B], on the device
  bool inverse = false;
};

// Causal attention, no T x S matrix in memory. q [B, T, H, d], k and v [B, S, Hkv, d] (H a multiple of Hkv: query head
// h reads h / (H / Hkv)), any strides with the last 1 (on the CPU, not that of k in the forward pass). Query t of row b sees keys 0 .. kv_length[b] - T + t (kv_length
// null = S). logits z = scale * q.k, z <- softcap * tanh(z / softcap) when softcap > 0, weights softmax(z), or
// relu(z)^2 / sqrt(relu_length) with squared_relu (0 = S). A row's bits do not depend on T, on its neighbours, or, but
// for that 0, on S.
struct Attention {
  Raw q, k, v, out;             // out [B, T, H, d]
  void* log_sum_exp = nullptr;  // [B, H, T] contiguous, f32 (f64 for f64)
  double scale = 1, softcap = 0;
  bool causal = true, squared_relu = false;
  const std::int64_t* kv_length = nullptr;  // [B] on the device
  void *max_logit = nullptr,
       *entropy = nullptr;  // optional statistics [B, H, T]: before the softcap; nats, 0 with squared_relu
  std::int64_t relu_length = 0;
};
struct AttentionGrad {
  Attention forward;  // out and log_sum_exp as the forward pass left them
  Raw dout, dq, dk, dv;
};

// Log-probability of a label under softmax(softcap(scale * x W^T + bias)), and log Z, without the [N, V] matrix.
// x [runs, examples * rows, d], w [runs, V, d], bias [runs, V] or null, labels i64 [N] (a negative label gives logp 0,
// log_z 0 and no gradient), logp and log_z [N] f32 (f64 for f64).
struct TokenLogprobs {
  Rows rows;
  std::int64_t d = 0, vocab = 0;
  DType dtype = DType::f32,
        weight_dtype = DType::f32;  // of x and bias; of w (bf16 weights with f32 x: products in bf16)
  double scale = 1, softcap = 0;
  const void *x = nullptr, *w = nullptr, *bias = nullptr;
  const std::int64_t* labels = nullptr;
  void *logp = nullptr, *log_z = nullptr;
};
struct TokenLogprobsGrad {
  TokenLogprobs forward;                             // log_z as the forward pass left it
  const void *g_logp = nullptr, *g_log_z = nullptr;  // [N]; either may be null
  void* dx = nullptr;                                // [N, d] or null
  void *dw = nullptr, *dbias = nullptr;              // f32 (f64): accumulated into, example by example; or null
};

// One optimiser pass over a slice of the parameter arena.
struct AdamSlice {
  std::int64_t offset = 0, count = 0;
  double lr = 0;              // eta_t, per-tensor multipliers included
  double decay = 0;           // what theta is multiplied by: theta <- theta - lr * delta - decay * theta
  double gradient_scale = 1;  // clipping
};
struct Adam {
  void *param = nullptr, *grad = nullptr, *m = nullptr, *u = nullptr;  // arenas, one dtype (f32 or f64)
  DType dtype = DType::f32;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double bias1 = 1, bias2 = 1;  // 1 - beta^(t+1)
  bool atan2 = false;           // delta = 1.27 atan2(m_hat, sqrt(u_hat))
};

}  // namespace kernels

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Device device() const = 0;
  virtual std::string describe() const = 0;

  // Memory. allocate returns 64-byte aligned memory, or null.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* p, std::size_t bytes) noexcept = 0;
  virtual void from_host(void* to, const void* from, std::size_t bytes) = 0;
  virtual void to_host(void* to, const void* from, std::size_t bytes) = 0;
  virtual void synchronise() = 0;

  // Elementwise; operands have the shape of `out`.
  virtual void fill(const Raw& out, double value) = 0;
  virtual void copy(const Raw& x, const Raw& out) = 0;  // any strides; converts the dtype
  virtual void unary(kernels::Unary op, const Raw& x, const Raw& out) = 0;
  virtual void binary(kernels::Binary op, const Raw& a, const Raw& b, const Raw& out) = 0;
  virtual void scalar(kernels::Binary op, const Raw& x, double s, bool scalar_first, const Raw& out) = 0;
  virtual void select(const Raw& mask, const Raw& a, const Raw& b, const Raw& out) = 0;  // mask u8 ? a : b

  // Reductions. `out` has the dims of x, reduced ones of size 1.
  virtual void reduce(kernels::Reduce op, const Raw& x, const Raw& out) = 0;
  virtual void arg_max(const Raw& x, int axis, const Raw& out) = 0;  // i64; ties: lowest index
  virtual void cumsum(const Raw& x, int axis, bool reverse, const Raw& out) = 0;
  virtual void argsort(const Raw& x, bool descending, const Raw& out) = 0;  // last axis, stable, i64
  // out [runs, n] += x [runs, examples, rows, n], contiguous: a left fold over examples of a sum over rows.
  virtual void fold_rows(const Raw& x, const Raw& out) = 0;

  // Indexing. Indices are i64 and have been checked.
  virtual void gather(const Raw& x, const Raw& index, int axis,
                      const Raw& out) = 0;  // out[..i..] = x[..index[..i..]..]
  virtual void scatter_add(const Raw& index, const Raw& x, int axis, const Raw& out) = 0;  // in order of position
  virtual void take_rows(const Raw& table, const Raw& index, const Raw& out) = 0;          // [R,V,D], [R,N] -> [R,N,D]
  virtual void add_to_rows(const Raw& index, const Raw& x, const Raw& table) = 0;  // its gradient, in order of n
  virtual bool index_in_range(const Raw& index, std::int64_t low, std::int64_t high) = 0;  // low <= all < high

  // Products.
  virtual void matmul(const kernels::Matmul& m) = 0;
  // Products that do not depend on each other, as if one by one.
  virtual void matmuls(std::span<const kernels::Matmul> all) {
    for (const auto& m : all) matmul(m);
  }

  // Rows: softmax over the last axis (contiguous), and the fused kernels.
  virtual void softmax(const Raw& x, bool log, const Raw& out) = 0;
  virtual void softmax_grad(const Raw& y, const Raw& g, bool log, const Raw& dx) = 0;
  virtual void norm(const kernels::Norm& n) = 0;
  virtual void norm_grad(const kernels::NormGrad& n) = 0;
  virtual void rope(const kernels::Rope& r) = 0;
  virtual void attention(const kernels::Attention& a) = 0;
  virtual void attention_grad(const kernels::AttentionGrad& a) = 0;
  virtual void token_logprobs(const kernels::TokenLogprobs& t) = 0;
  virtual void token_logprobs_grad(const kernels::TokenLogprobsGrad& t) = 0;

  // Convolution by columns. x [B,C,H,W] contiguous -> cols [B, C*kh*kw, oh*ow]; col2im is its transpose (accumulates in order).
  virtual void im2col(const Raw& x, const Raw& cols, int kernel, int stride, int padding) = 0;
  virtual void col2im(const Raw& cols, const Raw& x, int kernel, int stride, int padding) = 0;

  // Random numbers: element i of `out` (contiguous) is draw `first + i` of the stream `key` (core/random.h).
  virtual void random(kernels::Distribution d, std::uint64_t key, std::uint64_t first, double a, double b,
                      const Raw& out) = 0;

  // Optimiser: one pass over slices of an arena; the sum of squares of slices (f64, fixed tree, for the norm).
  virtual void adam(const kernels::Adam& a, const kernels::AdamSlice* slices, int count) = 0;
  virtual double sum_of_squares(const Raw& x) = 0;
};

// The backend of a device; the CUDA one is loaded on first use. UserError says why a device is not there.
Backend& backend(Device device);
// "" when the device can be used, else the reason.
std::string why_unavailable(Device device);
// Parses "cpu", "cuda", "cuda:1".
Device parse_device(const std::string& text);

}  // namespace plumb
