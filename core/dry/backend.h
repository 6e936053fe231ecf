// A device that computes nothing: its memory is addresses without memory behind them, its kernels return at once. A
// step taken on it asks the allocator for what a step on the CPU asks for, so memory_stats(dry_device) says what that
// step would take. Values read from it are zero.
#pragma once

#include <atomic>

#include "core/backend.h"

namespace plumb::dry {

class DryBackend final : public Backend {
 public:
  Device device() const override { return dry_device; }
  std::string describe() const override { return "counts memory, computes nothing"; }

  void* allocate(std::size_t bytes) override;
  void release(void*, std::size_t) noexcept override {}
  void from_host(void*, const void*, std::size_t) override {}
  void to_host(void* to, const void*, std::size_t bytes) override;
  void synchronise() override {}

  void fill(const Raw&, double) override {}
  void copy(const Raw&, const Raw&) override {}
  void unary(kernels::Unary, const Raw&, const Raw&) override {}
  void binary(kernels::Binary, const Raw&, const Raw&, const Raw&) override {}
  void scalar(kernels::Binary, const Raw&, double, bool, const Raw&) override {}
  void select(const Raw&, const Raw&, const Raw&, const Raw&) override {}

  void reduce(kernels::Reduce, const Raw&, const Raw&) override {}
  void arg_max(const Raw&, int, const Raw&) override {}
  void cumsum(const Raw&, int, bool, const Raw&) override {}
  void argsort(const Raw&, bool, const Raw&) override {}
  void fold_rows(const Raw&, const Raw&) override {}

  void gather(const Raw&, const Raw&, int, const Raw&) override {}
  void scatter_add(const Raw&, const Raw&, int, const Raw&) override {}
  void take_rows(const Raw&, const Raw&, const Raw&) override {}
  void add_to_rows(const Raw&, const Raw&, const Raw&) override {}
  bool index_in_range(const Raw&, std::int64_t, std::int64_t) override { return true; }

  void matmul(const kernels::Matmul&) override {}

  void softmax(const Raw&, bool, const Raw&) override {}
  void softmax_grad(const Raw&, const Raw&, bool, const Raw&) override {}
  void norm(const kernels::Norm&) override {}
  void norm_grad(const kernels::NormGrad&) override {}
  void rope(const kernels::Rope&) override {}
  void attention(const kernels::Attention&) override {}
  void attention_grad(const kernels::AttentionGrad&) override {}
  void token_logprobs(const kernels::TokenLogprobs&) override {}
  void token_logprobs_grad(const kernels::TokenLogprobsGrad& t) override;

  void im2col(const Raw&, const Raw&, int, int, int) override {}
  void col2im(const Raw&, const Raw&, int, int, int) override {}

  void random(kernels::Distribution, std::uint64_t, std::uint64_t, double, double, const Raw&) override {}

  void adam(const kernels::Adam&, const kernels::AdamSlice*, int) override {}
  double sum_of_squares(const Raw&) override { return 0; }

 private:
  std::atomic<std::uintptr_t> next_{std::uintptr_t{1} << 60};  // no address of a program: whoever reads it is stopped
};

// The most that a kernel of the CPU would have kept for itself, beside tensors, since the last reset.
std::size_t kernel_scratch();
void reset_kernel_scratch();

}  // namespace plumb::dry
