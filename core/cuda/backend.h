// The CUDA implementation of core/backend.h: cuBLAS for products, own kernels for the rest, one stream, no atomics on
// floats. Methods live in the file named after their section of that page.
//
// The same call gives the same bits on the same device. cuBLAS chooses its kernels by shape, so here, unlike on the
// CPU, the bits of a product may depend on how many rows it has.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <string>
#include <utility>

#include "core/backend.h"
#include "core/cuda/kernel.h"

namespace plumb::cuda {

// Device memory for the length of a call, from the driver's pool; the stream's next kernel may reuse it at once.
class Scratch {
 public:
  Scratch() = default;
  Scratch(i64 bytes, cudaStream_t stream, const char* what);
  Scratch(Scratch&& o) noexcept : data_(std::exchange(o.data_, nullptr)), stream_(o.stream_) {}
  Scratch& operator=(Scratch&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(stream_, o.stream_);
    return *this;
  }
  ~Scratch();
  template <class T = void>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

// C (row-major, any window) = beta C + alpha A B for one pair of matrices or a batch of them.
struct Product {
  kernels::Matmul matmul;
  double alpha = 1;
};

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(int index);  // throws UserError when the device cannot be used
  ~CudaBackend() override;
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;

  // context.cu
  Device device() const override { return {DeviceKind::cuda, static_cast<std::int8_t>(index_)}; }
  std::string describe() const override;

  // memory.cu
  void* allocate(std::size_t bytes) override;
  void release(void* p, std::size_t bytes) noexcept override;
  void from_host(void* to, const void* from, std::size_t bytes) override;
  void to_host(void* to, const void* from, std::size_t bytes) override;
  void synchronise() override;

  cudaStream_t stream() {
    use();
    return stream_;
  }

  // elementwise.cu, copy.cu
  void fill(const Raw& out, double value) override;
  void copy(const Raw& x, const Raw& out) override;
  void unary(kernels::Unary op, const Raw& x, const Raw& out) override;
  void binary(kernels::Binary op, const Raw& a, const Raw& b, const Raw& out) override;
  void scalar(kernels::Binary op, const Raw& x, double s, bool scalar_first, const Raw& out) override;
  void select(const Raw& mask, const Raw& a, const Raw& b, const Raw& out) override;

  // reduce.cu, scan.cu, sort.cu
  void reduce(kernels::Reduce op, const Raw& x, const Raw& out) override;
  double sum_of_squares(const Raw& x) override;
  void arg_max(const Raw& x, int axis, const Raw& out) override;
  void cumsum(const Raw& x, int axis, bool reverse, const Raw& out) override;
  void argsort(const Raw& x, bool descending, const Raw& out) override;
  void fold_rows(const Raw& x, const Raw& out) override;

  // index.cu
  void gather(const Raw& x, const Raw& index, int axis, const Raw& out) override;
  void scatter_add(const Raw& index, const Raw& x, int axis, const Raw& out) override;
  void take_rows(const Raw& table, const Raw& index, const Raw& out) override;
  void add_to_rows(const Raw& index, const Raw& x, const Raw& table) override;
  bool index_in_range(const Raw& index, std::int64_t low, std::int64_t high) override;

  // matmul.cu
  void matmul(const kernels::Matmul& m) override { product({m, 1.0}); }
  void product(const Product& p);

  // softmax.cu, norm.cu, rope.cu, attention.cu, attention_grad.cu, token_logprobs.cu
  void softmax(const Raw& x, bool log, const Raw& out) override;
  void softmax_grad(const Raw& y, const Raw& g, bool log, const Raw& dx) override;
  void norm(const kernels::Norm& n) override;
  void norm_grad(const kernels::NormGrad& n) override;
  void rope(const kernels::Rope& r) override;
  void attention(const kernels::Attention& a) override;
  void attention_grad(const kernels::AttentionGrad& a) override;
  void token_logprobs(const kernels::TokenLogprobs& t) override;
  void token_logprobs_grad(const kernels::TokenLogprobsGrad& t) override;

  // convolution.cu, random.cu, optimiser.cu
  void im2col(const Raw& x, const Raw& cols, int kernel, int stride, int padding) override;
  void col2im(const Raw& cols, const Raw& x, int kernel, int stride, int padding) override;
  void random(kernels::Distribution d, std::uint64_t key, std::uint64_t first, double a, double b,
              const Raw& out) override;
  void adam(const kernels::Adam& a, const kernels::AdamSlice* slices, int count) override;

 private:
  void use();  // makes this device the thread's current one
  Scratch scratch(i64 bytes, const char* what) { return {bytes, stream(), what}; }

  int index_ = 0;
  cudaStream_t stream_ = nullptr;
  cublasHandle_t blas_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  void* workspace_ = nullptr;
};

// A contiguous window.
inline Raw contiguous(void* data, DType dtype, const Shape& shape) { return {data, dtype, shape, row_major(shape)}; }

}  // namespace plumb::cuda
