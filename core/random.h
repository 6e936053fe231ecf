// Random numbers: Philox4x32-10. A draw is a pure function of (key, position), so that order and threads do not matter.
// Keys form a tree by purpose: Key{seed}.at("init").at("blocks.0.attn.q.weight"); Key{seed}.at("data").at(step).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/tensor.h"

namespace plumb {

struct Philox {  // one block: counter and key in, four words out
  static void block(const std::uint32_t counter[4], const std::uint32_t key[2], std::uint32_t out[4]);
};

class Key {
 public:
  explicit Key(std::uint64_t seed) : bits_(seed) {}
  Key at(std::string_view purpose) const;  // a child stream
  Key at(std::uint64_t index) const;       // a child stream, for a step, a row, a position
  std::uint64_t bits() const { return bits_; }

  // Tensors on `device`; element i is draw i.
  Tensor uniform(const Shape& shape, double low = 0, double high = 1, DType t = DType::f32,
                 Device d = cpu_device) const;
  Tensor normal(const Shape& shape, double mean = 0, double sd = 1, DType t = DType::f32, Device d = cpu_device) const;
  Tensor truncated_normal(const Shape& shape, double sd = 1, DType t = DType::f32,
                          Device d = cpu_device) const;  // at 2 sd, std restored
  Tensor gumbel(const Shape& shape, DType t = DType::f32, Device d = cpu_device) const;
  Tensor permutation(std::int64_t n) const;        // i64 [n]
  Tensor categorical(const Tensor& logits) const;  // i64 [...] from [..., V]: Gumbel-max, one stream a row
  // Single draws at a position, for host code.
  double uniform_at(std::uint64_t i) const;  // [0, 1)
  double normal_at(std::uint64_t i) const;
  std::uint64_t below(std::uint64_t n, std::uint64_t i) const;  // unbiased integer in [0, n)

 private:
  std::uint64_t bits_;
};

}  // namespace plumb
