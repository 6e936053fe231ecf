// Opening a device: stream, cuBLAS and its workspace; and the one function this shared object exports.
#include <cstdio>
#include <exception>
#include <memory>

#include "core/cuda/backend.h"

namespace plumb::cuda {
namespace {

// cuBLAS gives the same bits from run to run when it works in one stream with a workspace of its own (what
// CUBLAS_WORKSPACE_CONFIG=:4096:8 asks for by environment); 32 MiB is what it wants for itself on Hopper.
constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

void open(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) throw UserError(fmt::format("cuBLAS cannot be used: {} failed", what), "cuda");
}

void open(cudaError_t error, const char* what) {
  if (error != cudaSuccess)
    throw UserError(fmt::format("{}: {} ({})", what, cudaGetErrorString(error), cudaGetErrorName(error)), "cuda");
}

}  // namespace

CudaBackend::CudaBackend(int index) : index_(index) {
  int count = 0;
  open(cudaGetDeviceCount(&count), "no CUDA device can be used");
  if (index < 0 || index >= count) {
    throw UserError(fmt::format("there is no CUDA device {}: this machine has {}", index, count), "cuda");
  }
  open(cudaSetDevice(index), "cannot select the device");
  open(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cannot make a stream");
  open(cudaDeviceGetDefaultMemPool(&pool_, index), "no memory pool");
  std::uint64_t keep = ~std::uint64_t{0};  // scratch comes and goes with every call: the pool keeps what it has
  open(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep), "cannot set up the memory pool");
  open(cudaMalloc(&workspace_, workspace_bytes), "no memory for cuBLAS's workspace");
  open(cublasCreate(&blas_), "cublasCreate");
  open(cublasSetStream(blas_, stream_), "cublasSetStream");
  open(cublasSetWorkspace(blas_, workspace_, workspace_bytes), "cublasSetWorkspace");
  open(cublasSetAtomicsMode(blas_, CUBLAS_ATOMICS_NOT_ALLOWED), "cublasSetAtomicsMode");
}

CudaBackend::~CudaBackend() {
  if (blas_) cublasDestroy(blas_);
  if (workspace_) cudaFree(workspace_);
  if (stream_) cudaStreamDestroy(stream_);
}

void CudaBackend::use() { check(cudaSetDevice(index_), "cudaSetDevice"); }

std::string CudaBackend::describe() const {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, index_), "cudaGetDeviceProperties");
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  const auto in_words = [](int v) { return fmt::format("{}.{}", v / 1000, v % 1000 / 10); };
  return fmt::format("{}, sm_{}{}, {} multiprocessors, {:.1f} GiB, CUDA {} (driver {})", p.name, p.major, p.minor,
                     p.multiProcessorCount, static_cast<double>(p.totalGlobalMem) / (1 << 30), in_words(runtime),
                     in_words(driver));
}

}  // namespace plumb::cuda

// The backend of a device, for the life of the process; or null, and the reason in `why` (n bytes).
extern "C" __attribute__((visibility("default"))) plumb::Backend* plumb_cuda_backend(int index, char* why,
                                                                                     std::size_t n) {
  try {
    return new plumb::cuda::CudaBackend(index);
  } catch (const std::exception& e) {
    if (n > 0) std::snprintf(why, n, "%s", e.what());
    return nullptr;
  }
}
