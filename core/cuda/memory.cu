// Device memory and copies to and from it. The caching allocator above asks seldom, so plain cudaMalloc will do.
#include "core/cuda/backend.h"

namespace plumb::cuda {

void* CudaBackend::allocate(std::size_t bytes) {
  use();
  void* p = nullptr;
  const auto error = cudaMalloc(&p, bytes > 0 ? bytes : 1);  // aligned to 256 bytes
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // forget it: the caller frees its cache and asks again
    return nullptr;
  }
  check(error, "cudaMalloc");
  return p;
}

// Kernels that still use the memory are done when cudaFree returns: it waits for the device.
void CudaBackend::release(void* p, std::size_t) noexcept {
  if (cudaSetDevice(index_) == cudaSuccess) cudaFree(p);
}

void CudaBackend::from_host(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream()), "copy to the device");
  synchronise();
}

void CudaBackend::to_host(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()), "copy from the device");
  synchronise();
}

void CudaBackend::synchronise() { check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize"); }

}  // namespace plumb::cuda
