// The seam where a check makes the n-th allocation fail and sees what was never given back. The memory of tensors
// always passes through it; that of operator new does in programs that link lab/operator_new.cpp. What C libraries
// (HDF5, oneDNN, OpenMP) take by malloc is not reached. Only tests and `plumb check` use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace plumb::memory {

struct Fault {
  std::int64_t nth = 1;  // from the moment it is set
  bool always = false;   // and every later one
};
void set_fault(std::optional<Fault> fault) noexcept;
// PLUMB_MEMORY_FAULT=N or N:always; what cannot be read as that is no fault.
void set_fault_from_environment() noexcept;

// Counts what happens while it lives; one at a time.
class Watch {
 public:
  Watch() noexcept;
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  std::int64_t taken() const noexcept;   // allocations that succeeded or failed
  std::int64_t live() const noexcept;    // taken and not given back
  std::size_t largest() const noexcept;  // bytes of the largest one
};
bool sees_operator_new();

// For allocators. Notes one allocation: false when it is to fail. Every one that succeeds is to be given back.
bool may_take(std::size_t bytes) noexcept;
void given_back() noexcept;

}  // namespace plumb::memory
