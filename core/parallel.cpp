// Parallel loops over OpenMP.
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <mutex>

#include "core/errors.h"

namespace plumb {
namespace {

int& threads() {
  static int n = [] {
    omp_set_dynamic(0);
    omp_set_max_active_levels(1);
    return std::max(1, omp_get_max_threads());
  }();
  return n;
}

}  // namespace

int num_threads() { return threads(); }

void set_num_threads(int n) {
  if (n < 1) throw UserError(fmt::format("the number of threads must be at least 1, not {}", n));
  threads() = n;
}

namespace detail {

bool runs_serially(std::int64_t n, std::int64_t grain) {
  return n <= std::max<std::int64_t>(grain, 1) || threads() == 1 || omp_in_parallel();
}

void run_parallel(std::int64_t n, std::int64_t grain, LoopBody body, void* context) {
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t grains = (n + grain - 1) / grain;
  const int workers = static_cast<int>(std::min<std::int64_t>(threads(), grains));
  std::exception_ptr error;
  std::int64_t error_at = std::numeric_limits<std::int64_t>::max();
  std::mutex guard;
#pragma omp parallel num_threads(workers)
  {
    const std::int64_t me = omp_get_thread_num(), all = omp_get_num_threads();
    const std::int64_t begin = std::min(n, grains * me / all * grain);
    const std::int64_t end = std::min(n, grains * (me + 1) / all * grain);
    try {
      if (begin < end) body(context, begin, end);
    } catch (...) {
      const std::lock_guard lock(guard);
      if (begin < error_at) {
        error_at = begin;
        error = std::current_exception();
      }
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace plumb
