// How a kernel is started, and how CUDA's error codes become ours. Grids and blocks have one dimension everywhere.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/errors.h"

namespace plumb::cuda {

using i64 = std::int64_t;

// A failing CUDA call is a bug of ours (memory is asked for elsewhere); `what` names the call.
inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw Bug(fmt::format("CUDA: {}: {} ({})", what, cudaGetErrorString(error), cudaGetErrorName(error)));
}

// Threads of an elementwise block, and the blocks of a grid-stride loop over n items: enough to fill any device.
inline constexpr int block_threads = 256;
inline constexpr i64 most_blocks = 1 << 16;
constexpr i64 blocks_for(i64 n) {
  const i64 wanted = (n + block_threads - 1) / block_threads;
  return wanted < most_blocks ? wanted : most_blocks;
}
static_assert(blocks_for(0) == 0 && blocks_for(1) == 1 && blocks_for(257) == 2 &&
              blocks_for(i64{1} << 40) == most_blocks);

#ifdef __CUDACC__
template <class... P, class... A>
void launch(cudaStream_t stream, i64 blocks, int threads, void (*kernel)(P...), A... args) {
  if (blocks <= 0) return;
  PLUMB_ASSERT(blocks <= 0x7fffffff);
  kernel<<<dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(threads)), 0, stream>>>(P(args)...);
  check(cudaGetLastError(), "launch");
}
#else
// Without a CUDA compiler the kernels are tested on the host: tests/cuda/emulator runs a grid as coroutines.
template <class... P, class... A>
void launch(cudaStream_t, i64 blocks, int threads, void (*kernel)(P...), A... args) {
  emulator::run_grid(blocks, threads, [&] { kernel(P(args)...); });
}
#endif

// One thread for each of n items.
template <class... P, class... A>
void launch_over(cudaStream_t stream, i64 n, void (*kernel)(P...), A... args) {
  launch(stream, blocks_for(n), block_threads, kernel, args...);
}

}  // namespace plumb::cuda
