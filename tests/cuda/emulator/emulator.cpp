// The emulated device: coroutines for the threads of a block, malloc for its memory, a plain loop for cuBLAS.
#include <ucontext.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <vector>

#include "core/dtype.h"
#include "cublas_v2.h"

namespace plumb::cuda::emulator {
namespace {

constexpr std::size_t stack_bytes = 128 << 10;

struct Thread {
  ucontext_t context{};
  std::unique_ptr<std::byte[]> stack = std::make_unique_for_overwrite<std::byte[]>(stack_bytes);
  bool is_done = false;
};
std::vector<std::unique_ptr<Thread>> threads;  // kept from launch to launch
ucontext_t scheduler;
Thread* running = nullptr;
const std::function<void()>* body = nullptr;

void enter() {
  (*body)();
  running->is_done = true;
}

void start(Thread& t) {
  t.is_done = false;
  getcontext(&t.context);
  t.context.uc_stack.ss_sp = t.stack.get();
  t.context.uc_stack.ss_size = stack_bytes;
  t.context.uc_link = &scheduler;
  makecontext(&t.context, enter, 0);
}

// Between barriers the threads run forwards or backwards in turn: a missing barrier shows as other bits.
bool runs_backwards = false;

void run_block(int count) {
  for (int t = 0; t < count; ++t) start(*threads[static_cast<std::size_t>(t)]);
  for (int done = 0; done == 0; runs_backwards = !runs_backwards) {
    for (int i = 0; i < count; ++i) {
      const int t = runs_backwards ? count - 1 - i : i;
      running = threads[static_cast<std::size_t>(t)].get();
      threadIdx.x = static_cast<unsigned>(t);
      swapcontext(&scheduler, &running->context);
      done += running->is_done;
    }
    if (done != 0 && done != count) throw std::logic_error("a thread ended while others wait at a barrier");
  }
}

}  // namespace

void run_grid(std::int64_t blocks, int count, const std::function<void()>& kernel) {
  if (count > 1024 || (count & (count - 1)) != 0)
    throw std::logic_error("a block has a power of two of threads, at most 1024");
  while (threads.size() < static_cast<std::size_t>(count)) threads.push_back(std::make_unique<Thread>());
  body = &kernel;
  static unsigned launches = 0;
  const bool starts_backwards = (++launches * 0x9E3779B9u) >> 31;  // no simple pattern, so that a repeated call differs
  gridDim.x = static_cast<unsigned>(blocks);
  blockDim.x = static_cast<unsigned>(count);
  for (std::int64_t b = 0; b < blocks; ++b) {
    blockIdx.x = static_cast<unsigned>(b);
    runs_backwards = starts_backwards;
    run_block(count);
  }
}

}  // namespace plumb::cuda::emulator

void __syncthreads() {
  using namespace plumb::cuda::emulator;
  swapcontext(&running->context, &scheduler);
}

cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  *p = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!*p) return cudaErrorMemoryAllocation;
  std::memset(*p, 0xff, bytes);
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  std::free(p);
  return cudaSuccess;
}

namespace {

double read(const void* p, cudaDataType_t type, std::int64_t i) {
  if (type == CUDA_R_64F) return static_cast<const double*>(p)[i];
  if (type == CUDA_R_32F) return static_cast<const float*>(p)[i];
  return static_cast<float>(static_cast<const plumb::Bf16*>(p)[i]);
}
void write(void* p, cudaDataType_t type, std::int64_t i, double value) {
  if (type == CUDA_R_64F) static_cast<double*>(p)[i] = value;
  else if (type == CUDA_R_32F) static_cast<float*>(p)[i] = static_cast<float>(value);
  else static_cast<plumb::Bf16*>(p)[i] = plumb::Bf16(static_cast<float>(value));
}

}  // namespace

cublasStatus_t cublasGemmStridedBatchedEx_64(cublasHandle_t, cublasOperation_t op_a, cublasOperation_t op_b,
                                             std::int64_t m, std::int64_t n, std::int64_t k, const void* alpha,
                                             const void* a, cudaDataType_t type_a, std::int64_t lda, long long step_a,
                                             const void* b, cudaDataType_t type_b, std::int64_t ldb, long long step_b,
                                             const void* beta, void* c, cudaDataType_t type_c, std::int64_t ldc,
                                             long long step_c, std::int64_t count, cublasComputeType_t compute,
                                             cublasGemmAlgo_t) {
  const bool is_double = compute == CUBLAS_COMPUTE_64F_PEDANTIC;
  if (lda < (op_a == CUBLAS_OP_N ? m : k) || ldb < (op_b == CUBLAS_OP_N ? k : n) || ldc < m || type_a != type_b ||
      is_double != (type_c == CUDA_R_64F) || (type_c == CUDA_R_16BF && type_a != CUDA_R_16BF)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const double scale = is_double ? *static_cast<const double*>(alpha) : *static_cast<const float*>(alpha);
  const double keep = is_double ? *static_cast<const double*>(beta) : *static_cast<const float*>(beta);
  for (std::int64_t x = 0; x < count; ++x) {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = 0; i < m; ++i) {
        double sum = 0;
        for (std::int64_t l = 0; l < k; ++l) {
          sum += read(a, type_a, x * step_a + (op_a == CUBLAS_OP_N ? i + l * lda : l + i * lda)) *
                 read(b, type_b, x * step_b + (op_b == CUBLAS_OP_N ? l + j * ldb : j + l * ldb));
        }
        const std::int64_t at = x * step_c + i + j * ldc;
        write(c, type_c, at, scale * sum + (keep != 0 ? keep * read(c, type_c, at) : 0));
      }
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}
