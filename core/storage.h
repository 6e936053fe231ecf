// Shared memory of one device: reference counted, from a caching allocator that keeps statistics.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/backend.h"

namespace plumb {

class Storage {
 public:
  Storage(void* data, std::size_t bytes, Device device, std::size_t capacity)
      : data_(data), bytes_(bytes), capacity_(capacity), device_(device) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  std::uint32_t version() const { return version_; }
  void changed() { ++version_; }

 private:
  friend class StoragePtr;
  void* data_;
  std::size_t bytes_, capacity_;
  std::atomic<std::uint32_t> references_{0};
  std::uint32_t version_ = 0;
  Device device_;
};

class StoragePtr {
 public:
  StoragePtr() = default;
  explicit StoragePtr(Storage* s) : s_(s) {
    if (s_) s_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  StoragePtr(const StoragePtr& o) : StoragePtr(o.s_) {}
  StoragePtr(StoragePtr&& o) noexcept : s_(std::exchange(o.s_, nullptr)) {}
  StoragePtr& operator=(StoragePtr o) noexcept {
    std::swap(s_, o.s_);
    return *this;
  }
  ~StoragePtr() {
    if (s_ && s_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete s_;
  }
  Storage* operator->() const { return s_; }
  Storage* get() const { return s_; }
  explicit operator bool() const { return s_; }
  bool unique() const { return s_ && s_->references_.load(std::memory_order_acquire) == 1; }

 private:
  Storage* s_ = nullptr;
};

struct MemoryStats {
  std::size_t in_use = 0, peak = 0, cached = 0;  // bytes
  std::size_t held = 0;                          // the most of in_use + cached: what the system gave
  std::uint64_t allocations = 0;                 // calls that reached the system
};

StoragePtr allocate_storage(std::size_t bytes, Device device, const char* what);
MemoryStats memory_stats(Device device = cpu_device);
void reset_peak_memory(Device device = cpu_device);
void release_cached_memory(Device device = cpu_device);

}  // namespace plumb
