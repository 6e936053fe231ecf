// What little the dry device does.
#include "core/dry/backend.h"

#include <algorithm>
#include <cstring>

#include "core/cpu/backend.h"

namespace plumb::dry {
namespace {

std::atomic<std::size_t> scratch{0};

}  // namespace

std::size_t kernel_scratch() { return scratch; }
void reset_kernel_scratch() { scratch = 0; }

void* DryBackend::allocate(std::size_t bytes) {
  constexpr std::uintptr_t alignment = 64, room = std::uintptr_t{1} << 59;
  if (bytes > room) return nullptr;
  return reinterpret_cast<void*>(next_.fetch_add((bytes + alignment - 1) / alignment * alignment));
}

void DryBackend::to_host(void* to, const void*, std::size_t bytes) { std::memset(to, 0, bytes); }

void DryBackend::token_logprobs_grad(const kernels::TokenLogprobsGrad& t) {
  scratch = std::max(scratch.load(), cpu::scratch_of(t));
}

}  // namespace plumb::dry
