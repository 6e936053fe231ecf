// Memory of the CPU, and what the machine is.
#include <cstdlib>
#include <cstring>

#include "core/cpu/backend.h"
#include "core/cpu/isa.h"
#include "core/parallel.h"

namespace plumb::cpu {

std::string CpuBackend::describe() const {
  return fmt::format("{}, {}{}, {} thread{}", cpu_model(), name_of(isa()), has_bf16_dot() ? " with bf16 products" : "",
                     num_threads(), num_threads() == 1 ? "" : "s");
}

void* CpuBackend::allocate(std::size_t bytes) {
  constexpr std::size_t alignment = 64;
  if (bytes > SIZE_MAX - alignment) return nullptr;
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void CpuBackend::release(void* p, std::size_t) noexcept { std::free(p); }

void CpuBackend::from_host(void* to, const void* from, std::size_t bytes) {
  if (bytes) std::memcpy(to, from, bytes);
}

void CpuBackend::to_host(void* to, const void* from, std::size_t bytes) {
  if (bytes) std::memcpy(to, from, bytes);
}

}  // namespace plumb::cpu
