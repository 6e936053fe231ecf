// Blame: finds the operator that made the first NaN or infinity. Off in normal runs, where it costs one branch; the
// trainer replays a step under it after a non-finite loss or gradient norm.
#pragma once

#include <cstdint>
#include <string>

#include "core/errors.h"
#include "core/shape.h"

namespace plumb {

// The first non-finite value: the operator, where in the model, whether in its output or in a gradient, at which index.
class NonFinite : public UserError {
 public:
  NonFinite(std::string op, std::string scope, bool in_gradient, std::int64_t index, double value, const Shape& shape);
  std::string op, scope;
  bool in_gradient;
  std::int64_t index;  // row-major, in `shape`
  Shape shape;
};
std::string name_of_non_finite(double value);  // "NaN", "infinity", "minus infinity"

// While one lives, every operator's output and every gradient is inspected (or not, when it is off).
class Blame {
 public:
  explicit Blame(bool on = true);
  ~Blame();
  Blame(const Blame&) = delete;
  Blame& operator=(const Blame&) = delete;

 private:
  bool before_;
};

// Names the part of the model that is running ("blocks.3.attn"); nested scopes join with dots.
class Scope {
 public:
  explicit Scope(const char* name);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
};
std::string current_scope();

}  // namespace plumb
