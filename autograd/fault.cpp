// Counting operators, and spoiling one.
#include "autograd/fault.h"

#include "autograd/blame.h"
#include "autograd/node.h"

namespace plumb {

namespace detail {
Fault* set_fault(Fault* f);  // gives the one before
}

Fault::Fault(std::int64_t n, std::uint64_t place, double value)
    : n_(n), place_(place), value_(value), before_(detail::set_fault(this)) {}

Fault::~Fault() { detail::set_fault(before_); }

void Fault::see(const char* op, Tensor& output) {
  if (!grad_enabled() || seen_++ != n_ || output.numel() == 0 || !is_floating(output.dtype())) return;
  const auto index = static_cast<std::int64_t>(place_ % static_cast<std::uint64_t>(output.numel()));
  output = output.clone();  // a view shares its memory with an input, which is innocent
  output.reshape({output.numel()}).slice(0, index, index + 1).fill_(value_);
  hit_ = Hit{op, current_scope(), output.shape(), index};
}

}  // namespace plumb
