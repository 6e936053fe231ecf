// Counters that cost one relaxed load as long as nobody looks.
#include "core/memory_faults.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <new>
#include <string_view>

namespace plumb::memory {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

struct State {
  std::atomic<bool> active{false};  // somebody counts, or waits for the n-th
  std::atomic<bool> watched{false}, armed{false}, always{false};
  std::atomic<std::int64_t> left{0};  // until the one that fails
  std::atomic<std::int64_t> taken{0}, live{0};
  std::atomic<std::size_t> largest{0};
};
State state;

void refresh() noexcept { state.active = state.watched || state.armed; }

bool meets_the_fault() noexcept {
  if (!state.armed.load(relaxed)) return false;
  const std::int64_t left = state.left.fetch_sub(1, relaxed);
  return state.always.load(relaxed) ? left <= 1 : left == 1;
}

}  // namespace

void set_fault(std::optional<Fault> fault) noexcept {
  state.left = fault ? fault->nth : 0;
  state.always = fault && fault->always;
  state.armed = fault.has_value();
  refresh();
}

void set_fault_from_environment() noexcept {
  const char* setting = std::getenv("PLUMB_MEMORY_FAULT");
  if (!setting) return;
  const std::string_view text = setting;
  Fault fault;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), fault.nth);
  fault.always = std::string_view(rest) == ":always";
  if (error == std::errc() && (fault.always || *rest == '\0')) set_fault(fault);
}

Watch::Watch() noexcept {
  state.taken = 0;
  state.live = 0;
  state.largest = 0;
  state.watched = true;
  refresh();
}
Watch::~Watch() {
  state.watched = false;
  refresh();
}
std::int64_t Watch::taken() const noexcept { return state.taken; }
std::int64_t Watch::live() const noexcept { return state.live; }
std::size_t Watch::largest() const noexcept { return state.largest; }

bool sees_operator_new() {
  const Watch watch;
  ::operator delete(::operator new(1));  // called by name: no compiler may leave it out
  return watch.taken() > 0;
}

bool may_take(std::size_t bytes) noexcept {
  if (!state.active.load(relaxed)) return true;
  state.taken.fetch_add(1, relaxed);
  for (std::size_t seen = state.largest; seen < bytes && !state.largest.compare_exchange_weak(seen, bytes, relaxed);) {
  }
  if (meets_the_fault()) return false;
  state.live.fetch_add(1, relaxed);
  return true;
}

void given_back() noexcept {
  if (state.active.load(relaxed)) state.live.fetch_sub(1, relaxed);
}

}  // namespace plumb::memory
