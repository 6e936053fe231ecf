// The operator new of plumb and of its tests: malloc, seen by core/memory_faults.h. It is part of the programs, not of
// the library, which leaves the memory of its hosts alone. Arrays and nothrow forms come here by their standard ones.
#include <cstdlib>
#include <new>

#include "core/memory_faults.h"

void* operator new(std::size_t bytes) {
  if (plumb::memory::may_take(bytes)) {
    if (void* p = std::malloc(bytes ? bytes : 1)) return p;
    plumb::memory::given_back();
  }
  throw std::bad_alloc();
}

void operator delete(void* p) noexcept {
  if (!p) return;
  plumb::memory::given_back();
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept { operator delete(p); }
