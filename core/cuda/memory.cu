// Device memory and copies to and from it. The caching allocator above asks seldom, so plain cudaMalloc will do.
#include "core/cuda/backend.h"
#include "core/storage.h"

namespace plumb::cuda {

Scratch::Scratch(i64 bytes, cudaStream_t stream, const char* what) : stream_(stream) {
  const auto size = static_cast<std::size_t>(bytes > 0 ? bytes : 1);
  auto error = cudaMallocAsync(&data_, size, stream);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // forget it
    int index = 0;
    check(cudaGetDevice(&index), "cudaGetDevice");
    release_cached_memory({DeviceKind::cuda, static_cast<std::int8_t>(index)});
    error = cudaMallocAsync(&data_, size, stream);
  }
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw OutOfMemory(fmt::format("out of memory on the GPU: {} asked for {} bytes of scratch", what, bytes), what,
                      "use a smaller batch or a shorter sequence");
  }
  check(error, "cudaMallocAsync");
}

Scratch::~Scratch() {
  if (data_) cudaFreeAsync(data_, stream_);
}

void* CudaBackend::allocate(std::size_t bytes) {
  use();
  void* p = nullptr;
  const auto ask = [&] { return cudaMalloc(&p, bytes > 0 ? bytes : 1); };  // aligned to 256 bytes
  auto error = ask();
  if (error == cudaErrorMemoryAllocation) {  // take back what the pool of scratch keeps
    cudaGetLastError();
    synchronise();
    check(cudaMemPoolTrimTo(pool_, 0), "cudaMemPoolTrimTo");
    error = ask();
  }
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
