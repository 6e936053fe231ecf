// The operator new of plumb and of its tests: malloc, seen by core/memory_faults.h. It is part of the programs, not of
// the library, which leaves the memory of its hosts alone. Every form but the aligned ones is written out: a sanitizer
// brings its own of those that are not, and would meet our delete.
#include <cstdlib>
#include <new>

#include "core/memory_faults.h"

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  if (!plumb::memory::may_take(bytes)) return nullptr;
  void* p = std::malloc(bytes ? bytes : 1);
  if (!p) plumb::memory::given_back();
  return p;
}
void* operator new(std::size_t bytes) {
  if (void* p = operator new(bytes, std::nothrow)) return p;
  throw std::bad_alloc();
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return operator new(bytes, std::nothrow); }

void operator delete(void* p) noexcept {
  if (!p) return;
  plumb::memory::given_back();
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept { operator delete(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { operator delete(p); }
void operator delete[](void* p) noexcept { operator delete(p); }
void operator delete[](void* p, std::size_t) noexcept { operator delete(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { operator delete(p); }
