// What the trainer knows of data: rows of tokens, whether they come from text or from a world.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace plumb {

class TokenData {
 public:
  virtual ~TokenData() = default;

  virtual std::int64_t vocab() const = 0;
  // i64 [rows, T+1]: inputs are the first T tokens of a row, targets the last T. A pure function of (seed, step, row).
  virtual Tensor batch(std::int64_t step, std::int64_t rows, std::int64_t T) const = 0;
  // i64 [at most `rows`, T+1]: the first windows of the validation part; the same at every call and for every seed.
  virtual Tensor validation(std::int64_t rows, std::int64_t T) const = 0;
  // Mean over the predicted tokens of -log of their true conditional probability, nats, where the truth is known.
  virtual std::optional<double> entropy_floor(const Tensor& /*tokens*/) const { return {}; }
  virtual std::string decode(std::span<const std::int64_t> tokens) const = 0;
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;
  virtual std::string describe() const = 0;  // one line for people
  virtual std::string digest() const = 0;    // of the content, for the provenance of a run
};

}  // namespace plumb
