// The caching allocator: freed blocks are kept by size class, since a training step asks for the same sizes again.
#include "core/storage.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "core/memory_faults.h"

namespace plumb {
namespace {

// Size classes: multiples of 64 bytes when small, then eight steps per power of two (at most 12.5 % is wasted).
std::size_t capacity_for(std::size_t bytes) {
  std::size_t step = 64;
  while (bytes > step * 16) step *= 2;
  return bytes == 0 ? 64 : (bytes + step - 1) / step * step;
}

// Fresh memory holds NaN in every dtype, so that reading what was never written shows (PLUMB_POISON=1).
bool poisons() {
  static const bool on = [] {
    const char* v = std::getenv("PLUMB_POISON");
    return v && *v == '1';
  }();
  return on;
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool caches = false;  // the sanitizer must see every free
#else
constexpr bool caches = true;
#endif

class Allocator {
 public:
  explicit Allocator(Device device) : device_(device) {}

  void* take(std::size_t capacity, std::size_t bytes, const char* what) {
    const std::lock_guard lock(guard_);
    void* p = memory::may_take(capacity) ? block_of(capacity) : nullptr;
    if (!p)
      throw OutOfMemory(fmt::format("out of memory on {}: {} asked for {} bytes while {} are in use (peak {})",
                                    to_string(device_), what, bytes, stats_.in_use, stats_.peak),
                        what, "use a smaller batch, a shorter sequence, or train.checkpoint_activations = true");
    stats_.in_use += capacity;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    stats_.held = std::max(stats_.held, stats_.in_use + stats_.cached);
    return p;
  }

  void give(void* p, std::size_t capacity) noexcept {
    const std::lock_guard lock(guard_);
    memory::given_back();
    stats_.in_use -= capacity;
    if (caches && keep(p, capacity)) stats_.cached += capacity;
    else backend(device_).release(p, capacity);
  }

  void drop_cache() {
    for (auto& [capacity, blocks] : free_)
      for (void* p : blocks) backend(device_).release(p, capacity);
    free_.clear();
    stats_.cached = 0;
  }

  MemoryStats stats_;
  std::mutex guard_;

 private:
  // A block from the cache or from the system; null when there is none.
  void* block_of(std::size_t capacity) {
    if (auto it = free_.find(capacity); it != free_.end() && !it->second.empty()) {
      void* p = it->second.back();
      it->second.pop_back();
      stats_.cached -= capacity;
      return p;
    }
    void* p = backend(device_).allocate(capacity);
    if (!p) {
      drop_cache();
      p = backend(device_).allocate(capacity);
    }
    if (p) ++stats_.allocations;
    return p;
  }

  // False when there is no memory left to write down that the block is free.
  bool keep(void* p, std::size_t capacity) noexcept {
    try {
      free_[capacity].push_back(p);
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  Device device_;
  std::unordered_map<std::size_t, std::vector<void*>> free_;
};

// Never destroyed: tensors of static lifetime may be freed after any destructor of ours.
Allocator& allocator(Device d) {
  static Allocator& host = *new Allocator(cpu_device);
  if (d.kind == DeviceKind::cpu) return host;
  static std::mutex guard;
  static auto& devices = *new std::map<std::pair<DeviceKind, int>, Allocator*>;
  const std::lock_guard lock(guard);
  auto& a = devices[{d.kind, d.index}];
  if (!a) a = new Allocator(d);
  return *a;
}

}  // namespace

StoragePtr allocate_storage(std::size_t bytes, Device device, const char* what) {
  const std::size_t capacity = capacity_for(bytes);
  void* p = allocator(device).take(capacity, bytes, what);
  if (poisons() && device.kind == DeviceKind::cpu) std::memset(p, 0xff, capacity);
  auto* const storage = new (std::nothrow) Storage(p, bytes, device, capacity);
  if (!storage) {
    allocator(device).give(p, capacity);
    throw std::bad_alloc();
  }
  return StoragePtr(storage);
}

Storage::~Storage() { allocator(device_).give(data_, capacity_); }

MemoryStats memory_stats(Device device) {
  auto& a = allocator(device);
  const std::lock_guard lock(a.guard_);
  return a.stats_;
}

void reset_peak_memory(Device device) {
  auto& a = allocator(device);
  const std::lock_guard lock(a.guard_);
  a.stats_.peak = a.stats_.in_use;
  a.stats_.held = a.stats_.in_use + a.stats_.cached;
}

void release_cached_memory(Device device) {
  auto& a = allocator(device);
  const std::lock_guard lock(a.guard_);
  a.drop_cache();
}

}  // namespace plumb
