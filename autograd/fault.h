// A fault on purpose: one wrong number in the output of one operator, for checks that blame finds it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/tensor.h"

namespace plumb {

// While one lives, the n-th operator that this thread records for a gradient (from 0) has `value` at an index of its
// output. Operators inside rules are not counted.
class Fault {
 public:
  Fault(std::int64_t n, std::uint64_t place, double value);  // the index is place modulo the size of the output
  ~Fault();
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;

  struct Hit {
    std::string op, scope;
    Shape shape;
    std::int64_t index = 0;
  };
  const std::optional<Hit>& hit() const { return hit_; }
  std::int64_t operators_seen() const { return seen_; }

  void see(const char* op, Tensor& output);  // by record()

 private:
  std::int64_t n_, seen_ = 0;
  std::uint64_t place_;
  double value_;
  std::optional<Hit> hit_;
  Fault* before_;
};

}  // namespace plumb
