// The CPU's implementation of core/backend.h. Methods live in the file named after their section of that page; vector
// loops live in core/cpu/isa.
#pragma once

#include "core/backend.h"

namespace plumb::cpu {

class CpuBackend final : public Backend {
 public:
  Device device() const override { return {}; }
  std::string describe() const override;

  // memory.cpp
  void* allocate(std::size_t bytes) override;
  void release(void* p, std::size_t bytes) noexcept override;
  void from_host(void* to, const void* from, std::size_t bytes) override;
  void to_host(void* to, const void* from, std::size_t bytes) override;
  void synchronise() override {}

  // elementwise.cpp
  void fill(const Raw& out, double value) override;
  void copy(const Raw& x, const Raw& out) override;
  void unary(kernels::Unary op, const Raw& x, const Raw& out) override;
  void binary(kernels::Binary op, const Raw& a, const Raw& b, const Raw& out) override;
  void scalar(kernels::Binary op, const Raw& x, double s, bool scalar_first, const Raw& out) override;
  void select(const Raw& mask, const Raw& a, const Raw& b, const Raw& out) override;

  // reduce.cpp
  void reduce(kernels::Reduce op, const Raw& x, const Raw& out) override;
  void arg_max(const Raw& x, int axis, const Raw& out) override;
  void cumsum(const Raw& x, int axis, bool reverse, const Raw& out) override;
  void argsort(const Raw& x, bool descending, const Raw& out) override;
  void fold_rows(const Raw& x, const Raw& out) override;
  double sum_of_squares(const Raw& x) override;

  // index.cpp
  void gather(const Raw& x, const Raw& index, int axis, const Raw& out) override;
  void scatter_add(const Raw& index, const Raw& x, int axis, const Raw& out) override;
  void take_rows(const Raw& table, const Raw& index, const Raw& out) override;
  void add_to_rows(const Raw& index, const Raw& x, const Raw& table) override;
  bool index_in_range(const Raw& index, std::int64_t low, std::int64_t high) override;

  // matmul.cpp
  void matmul(const kernels::Matmul& m) override;
  void matmuls(std::span<const kernels::Matmul> all) override;

  // softmax.cpp, norm.cpp, rope.cpp, attention.cpp, token_logprobs.cpp
  void softmax(const Raw& x, bool log, const Raw& out) override;
  void softmax_grad(const Raw& y, const Raw& g, bool log, const Raw& dx) override;
  void norm(const kernels::Norm& n) override;
  void norm_grad(const kernels::NormGrad& n) override;
  void rope(const kernels::Rope& r) override;
  void attention(const kernels::Attention& a) override;
  void attention_grad(const kernels::AttentionGrad& a) override;
  void token_logprobs(const kernels::TokenLogprobs& t) override;
  void token_logprobs_grad(const kernels::TokenLogprobsGrad& t) override;

  // convolution.cpp
  void im2col(const Raw& x, const Raw& cols, int kernel, int stride, int padding) override;
  void col2im(const Raw& cols, const Raw& x, int kernel, int stride, int padding) override;

  // random.cpp, optimiser.cpp
  void random(kernels::Distribution d, std::uint64_t key, std::uint64_t first, double a, double b,
              const Raw& out) override;
  void adam(const kernels::Adam& a, const kernels::AdamSlice* slices, int count) override;
};

// Bytes that token_logprobs_grad keeps for itself.
std::size_t scratch_of(const kernels::TokenLogprobsGrad& t);

}  // namespace plumb::cpu
