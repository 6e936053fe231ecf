// The network works on 2 * half_bits bits, at most 4 n values, so a walk takes four rounds or fewer on average.
#include "lab/data/shuffled_index.h"

#include <algorithm>
#include <bit>

namespace plumb {

ShuffledIndex::ShuffledIndex(const Key& key, std::uint64_t n) : key_(key.bits()), n_(n) {
  PLUMB_ASSERT(n >= 1);
  half_bits_ = std::max(1, (static_cast<int>(std::bit_width(n - 1)) + 1) / 2);
  mask_ = (std::uint64_t{1} << half_bits_) - 1;
}

std::uint64_t ShuffledIndex::once(std::uint64_t x) const {
  constexpr std::uint32_t rounds = 8;
  const std::uint32_t key[2] = {static_cast<std::uint32_t>(key_), static_cast<std::uint32_t>(key_ >> 32)};
  std::uint64_t left = x >> half_bits_, right = x & mask_;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const std::uint32_t counter[4] = {static_cast<std::uint32_t>(right), 0, round, 0};
    std::uint32_t word[4];
    Philox::block(counter, key, word);
    const std::uint64_t mixed = left ^ (word[0] & mask_);
    left = right;
    right = mixed;
  }
  return left << half_bits_ | right;
}

std::uint64_t ShuffledIndex::operator()(std::uint64_t i) const {
  PLUMB_ASSERT(i < n_);
  do i = once(i);
  while (i >= n_);
  return i;
}

}  // namespace plumb
