// The handler does nothing but what POSIX allows in one.
#include "lab/signals.h"

#include <signal.h>

#include <atomic>

namespace plumb {
namespace {

std::atomic<int> signals_seen{0};
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int number) {
  if (signals_seen.fetch_add(1) == 0) return;
  ::signal(number, SIG_DFL);  // raised again below, it ends the process once this handler returns
  ::raise(number);
}

}  // namespace

void watch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // file operations under way are not torn
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() noexcept { return signals_seen.load(std::memory_order_relaxed) > 0; }
void request_stop() noexcept { signals_seen.store(1); }
void clear_stop() noexcept { signals_seen.store(0); }

}  // namespace plumb
