// Central differences on every entry of every input.
#include "autograd/gradcheck.h"

#include <cmath>

#include "autograd/backward.h"
#include "autograd/ops.h"
#include "core/random.h"

namespace plumb {
namespace {

Var weighted(const Var& y, std::uint64_t seed) {
  return sum(y * Var(Key(seed).at("gradcheck").normal(y.shape(), 0, 1, DType::f64)));
}

std::vector<Tensor> with_change(const std::vector<Tensor>& inputs, std::size_t which, std::int64_t at, double by) {
  std::vector<Tensor> out = inputs;
  auto values = inputs[which].to_vector<double>();
  values[static_cast<std::size_t>(at)] += by;
  out[which] = Tensor::from(values, inputs[which].shape());
  return out;
}

std::vector<Var> leaves(const std::vector<Tensor>& inputs) {
  std::vector<Var> out;
  for (const auto& t : inputs) out.push_back(is_floating(t.dtype()) ? Var::leaf(t) : Var(t));
  return out;
}

// Holds `analytic` (one for each floating input) against differences of the scalar function.
GradcheckResult compare(const std::function<double(const std::vector<Tensor>&)>& scalar,
                        const std::vector<Tensor>& inputs, const std::vector<Tensor>& analytic,
                        const GradcheckOptions& o) {
  GradcheckResult r;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!is_floating(inputs[k].dtype())) continue;
    const auto got = analytic[k].to_vector<double>();
    for (std::int64_t i = 0; i < inputs[k].numel(); ++i) {
      const double up = scalar(with_change(inputs, k, i, o.step)), down = scalar(with_change(inputs, k, i, -o.step));
      const double expected = (up - down) / (2 * o.step), have = got[static_cast<std::size_t>(i)];
      const double scale = o.absolute + o.relative * std::max(std::abs(expected), 1.0);
      const double off = std::abs(expected - have) / scale;
      if (!(off <= r.worst)) {
        r.worst = off;
        r.report =
            fmt::format("input {} entry {}: gradient {:.12g}, difference quotient {:.12g}", k, i, have, expected);
      }
      if (!(off <= 1)) r.ok = false;
    }
  }
  return r;
}

}  // namespace

GradcheckResult gradcheck(const Function& f, const std::vector<Tensor>& inputs, const GradcheckOptions& o) {
  const auto xs = leaves(inputs);
  std::vector<Tensor> analytic;
  for (const auto& g : grad(weighted(f(xs), 1), xs)) analytic.push_back(g.value());
  const auto scalar = [&](const std::vector<Tensor>& at) {
    const NoGrad off;
    std::vector<Var> vars(at.begin(), at.end());
    return weighted(f(vars), 1).item();
  };
  return compare(scalar, inputs, analytic, o);
}

GradcheckResult gradgradcheck(const Function& f, const std::vector<Tensor>& inputs, const GradcheckOptions& o) {
  // The scalar whose gradient is checked: a weighted sum of the first gradients.
  const auto inner = [&](const std::vector<Var>& xs) {
    const auto gs = grad(weighted(f(xs), 1), xs, true);
    Var total(Tensor::scalar(0, DType::f64));
    for (std::size_t i = 0; i < gs.size(); ++i)
      if (gs[i].defined() && is_floating(inputs[i].dtype())) total = total + weighted(gs[i], 2 + i);
    return total;
  };
  const auto xs = leaves(inputs);
  std::vector<Tensor> analytic;
  for (const auto& g : grad(inner(xs), xs)) analytic.push_back(g.value());
  const auto scalar = [&](const std::vector<Tensor>& at) { return inner(leaves(at)).item(); };
  return compare(scalar, inputs, analytic, o);
}

}  // namespace plumb
