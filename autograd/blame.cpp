// Inspection of values while blame is on.
#include "autograd/blame.h"

#include <cmath>
#include <utility>
#include <vector>

#include "autograd/node.h"
#include "core/tensor_ops.h"

namespace plumb {
namespace {
thread_local std::vector<const char*> scopes;
}

namespace detail {
thread_local bool blame_on = false;

void inspect(const char* op, const Tensor& output) {
  const std::int64_t i = kernels::first_non_finite(output);
  if (i >= 0)
    throw NonFinite(op, current_scope(), false, i, output.to_vector<double>()[static_cast<std::size_t>(i)],
                    to_string(output.shape()));
}
}  // namespace detail

NonFinite::NonFinite(std::string op_name, std::string where, bool gradient, std::int64_t at, double value,
                     const std::string& shape)
    : UserError(fmt::format("[{}] made {} {} at index {} of its {} {}", op_name, std::isnan(value) ? "NaN" : "infinity",
                            value, at, gradient ? "gradient" : "output", shape),
                where, "lower the learning rate, clip gradients, or look at the inputs of this operator"),
      op(std::move(op_name)),
      scope(std::move(where)),
      in_gradient(gradient),
      index(at) {}

Blame::Blame(bool on) : before_(std::exchange(detail::blame_on, on)) {}
Blame::~Blame() { detail::blame_on = before_; }

Scope::Scope(const char* name) { scopes.push_back(name); }
Scope::~Scope() { scopes.pop_back(); }

std::string current_scope() {
  std::string text;
  for (const char* s : scopes) text += (text.empty() ? "" : ".") + std::string(s);
  return text;
}

}  // namespace plumb
