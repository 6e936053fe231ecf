// Parallel loops: the only place that knows of threads. No result may depend on how a loop is cut, so bodies own
// disjoint outputs, and a reduction inside one is over a fixed range.
#pragma once

#include <cstdint>
#include <type_traits>

namespace plumb {

int num_threads();            // threads of a parallel loop
void set_num_threads(int n);  // >= 1; UserError otherwise

namespace detail {
using LoopBody = void (*)(void* context, std::int64_t begin, std::int64_t end);
void run_parallel(std::int64_t n, std::int64_t grain, LoopBody body, void* context);
bool runs_serially(std::int64_t n, std::int64_t grain);
}  // namespace detail

// Calls body(begin, end) on consecutive pieces of [0, n), each a multiple of `grain` items (the last may be shorter).
// n <= grain, one thread, or a call inside another loop runs inline at the cost of a branch. An exception is rethrown;
// when several pieces throw, the one of the lowest index wins.
template <class Body>
void parallel_for(std::int64_t n, std::int64_t grain, Body&& body) {
  if (n <= 0) return;
  if (detail::runs_serially(n, grain)) {
    body(std::int64_t{0}, n);
    return;
  }
  using Raw = std::remove_reference_t<Body>;
  detail::run_parallel(
      n, grain, [](void* c, std::int64_t b, std::int64_t e) { (*static_cast<Raw*>(c))(b, e); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Items per piece so that a piece is worth a thread: about 32k element operations.
inline std::int64_t grain_for(std::int64_t work_per_item) {
  constexpr std::int64_t enough = 32768;
  return work_per_item >= enough ? 1 : enough / (work_per_item > 0 ? work_per_item : 1);
}

}  // namespace plumb
