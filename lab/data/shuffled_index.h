// A random permutation of [0, n) that needs no memory: a Feistel network over Philox, walked until it lands inside.
#pragma once

#include <cstdint>

#include "core/random.h"

namespace plumb {

class ShuffledIndex {
 public:
  ShuffledIndex(const Key& key, std::uint64_t n);   // n >= 1
  std::uint64_t operator()(std::uint64_t i) const;  // i < n

 private:
  std::uint64_t once(std::uint64_t x) const;
  std::uint64_t key_, n_, mask_;
  int half_bits_;
};

}  // namespace plumb
