// Parallel loops over OpenMP.
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <atomic>
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

// A thread's share of the grains. Whoever takes, takes three quarters of what is left: a slow core is helped out, and the
// pieces of a fast one stay large.
struct alignas(64) Share {
  std::atomic<std::int64_t> next{0};
  std::int64_t end = 0;

  bool take(std::int64_t& first, std::int64_t& last) {
    first = next.load(std::memory_order_relaxed);
    do {
      if (first >= end) return false;
      last = first + ((end - first) * 3 + 3) / 4;
    } while (!next.compare_exchange_weak(first, last, std::memory_order_relaxed));
    return true;
  }
};
constexpr int most_shares = 64;

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
  const int workers = static_cast<int>(std::min<std::int64_t>(std::min(threads(), most_shares), grains));
  std::array<Share, most_shares> shares;
  for (int w = 0; w < workers; ++w) {
    shares[static_cast<std::size_t>(w)].next = grains * w / workers;
    shares[static_cast<std::size_t>(w)].end = grains * (w + 1) / workers;
  }
  std::exception_ptr error;
  std::int64_t error_at = std::numeric_limits<std::int64_t>::max();
  std::mutex guard;
  const auto piece = [&](std::int64_t begin, std::int64_t end) {
    try {
      body(context, begin, end);
    } catch (...) {
      const std::lock_guard lock(guard);
      if (begin < error_at) {
        error_at = begin;
        error = std::current_exception();
      }
    }
  };
#pragma omp parallel num_threads(workers)
  {
    const int me = omp_get_thread_num();
    for (int i = 0; i < workers; ++i) {  // its own share first, then the others'
      Share& share = shares[static_cast<std::size_t>((me + i) % workers)];
      for (std::int64_t first = 0, last = 0; share.take(first, last);) piece(first * grain, std::min(n, last * grain));
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace plumb
