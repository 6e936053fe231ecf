// Inspection of values while blame is on.
#include "autograd/blame.h"

#include <cmath>
#include <utility>
#include <vector>

#include "autograd/fault.h"
#include "autograd/node.h"
#include "core/tensor_ops.h"

namespace plumb {
namespace {
thread_local std::vector<const char*> scopes;
}

namespace detail {
namespace {

thread_local bool blaming = false;
thread_local Fault* fault = nullptr;

void inspect(const char* op, const Tensor& output) {
  const std::int64_t i = kernels::first_non_finite(output);
  if (i >= 0)
    throw NonFinite(op, current_scope(), false, i, output.to_vector<double>()[static_cast<std::size_t>(i)],
                    output.shape());
}

void update_watched() { watched = blaming || fault; }

}  // namespace

constinit thread_local bool watched = false;

void watch(const char* op, Tensor& output) {
  if (fault) fault->see(op, output);
  if (blaming) inspect(op, output);
}

bool blame_on() { return blaming; }
bool set_blame(bool on) {
  const bool before = std::exchange(blaming, on);
  update_watched();
  return before;
}
Fault* set_fault(Fault* f) {
  Fault* before = std::exchange(fault, f);
  update_watched();
  return before;
}

}  // namespace detail

std::string name_of_non_finite(double value) {
  return std::isnan(value) ? "NaN" : value > 0 ? "infinity" : "minus infinity";
}

NonFinite::NonFinite(std::string op_name, std::string where, bool gradient, std::int64_t at, double value,
                     const Shape& tensor_shape)
    : UserError(fmt::format("[{}] made {} at index {} of its {} {}", op_name, name_of_non_finite(value), at,
                            gradient ? "gradient" : "output", to_string(tensor_shape)),
                where, "lower the learning rate, clip gradients, or look at the inputs of this operator"),
      op(std::move(op_name)),
      scope(std::move(where)),
      in_gradient(gradient),
      index(at),
      shape(tensor_shape) {}

Blame::Blame(bool on) : before_(detail::set_blame(on)) {}
Blame::~Blame() { detail::set_blame(before_); }

Scope::Scope(const char* name) { scopes.push_back(name); }
Scope::~Scope() { scopes.pop_back(); }

std::string current_scope() {
  std::string text;
  for (const char* s : scopes) text += (text.empty() ? "" : ".") + std::string(s);
  return text;
}

}  // namespace plumb
