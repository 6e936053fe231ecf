// The layers once more, as plain loops in double over one sequence: what those of nn and models are held against. Knows
// nothing of them but the names of their parameters.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "nn/module.h"

namespace plumb::plain {

using Values = std::vector<double>;

struct Rows {  // [rows, width]
  std::int64_t rows = 0, width = 0;
  Values v{};
  Rows(std::int64_t r, std::int64_t w) : rows(r), width(w), v(static_cast<std::size_t>(r * w)) {}
  explicit Rows(const Tensor& t) : rows(t.dim() > 1 ? t.size(0) : 1), width(t.size(-1)), v(t.to_vector<double>()) {}
  double& operator()(std::int64_t r, std::int64_t i) { return v[static_cast<std::size_t>(r * width + i)]; }
  double operator()(std::int64_t r, std::int64_t i) const { return v[static_cast<std::size_t>(r * width + i)]; }
};

inline Rows plus(Rows a, const Rows& b, double times = 1) {
  for (std::size_t i = 0; i < a.v.size(); ++i) a.v[i] = times * a.v[i] + b.v[i];
  return a;
}

inline Rows linear(const Rows& x, const Rows& w, const Values& bias = {}) {
  Rows y(x.rows, w.rows);
  for (std::int64_t r = 0; r < x.rows; ++r)
    for (std::int64_t o = 0; o < w.rows; ++o) {
      y(r, o) = bias.empty() ? 0 : bias[static_cast<std::size_t>(o)];
      for (std::int64_t i = 0; i < x.width; ++i) y(r, o) += x(r, i) * w(o, i);
    }
  return y;
}

// `gain` as it multiplies; empty = ones.
inline Rows normalised(const Rows& x, bool center, double eps, const Values& gain = {}, const Values& bias = {}) {
  Rows y = x;
  const auto n = static_cast<double>(x.width);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    double mean = 0, square = 0;
    for (std::int64_t i = 0; i < x.width && center; ++i) mean += x(r, i) / n;
    for (std::int64_t i = 0; i < x.width; ++i) square += (x(r, i) - mean) * (x(r, i) - mean) / n;
    for (std::int64_t i = 0; i < x.width; ++i) {
      const auto k = static_cast<std::size_t>(i);
      y(r, i) =
          (x(r, i) - mean) / std::sqrt(square + eps) * (gain.empty() ? 1 : gain[k]) + (bias.empty() ? 0 : bias[k]);
    }
  }
  return y;
}

inline double activation(const std::string& kind, double x) {
  if (kind == "gelu") return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  if (kind == "gelu_tanh")
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
  if (kind == "relu") return std::max(x, 0.0);
  return x / (1 + std::exp(-x));  // silu
}

// Head h of [T, heads * d], one row a position.
inline Rows head_of(const Rows& x, std::int64_t h, std::int64_t d) {
  Rows y(x.rows, d);
  for (std::int64_t t = 0; t < x.rows; ++t)
    for (std::int64_t i = 0; i < d; ++i) y(t, i) = x(t, h * d + i);
  return y;
}

// Pair (i, i + d/2) turned by position * base^(-2i/d).
inline Rows turned(const Rows& x, double base) {
  Rows y = x;
  const std::int64_t half = x.width / 2;
  for (std::int64_t t = 0; t < x.rows; ++t)
    for (std::int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(t) * std::pow(base, -static_cast<double>(i) / static_cast<double>(half));
      y(t, i) = x(t, i) * std::cos(angle) - x(t, i + half) * std::sin(angle);
      y(t, i + half) = x(t, i + half) * std::cos(angle) + x(t, i) * std::sin(angle);
    }
  return y;
}

// Causal attention of one head; weights relu(z)^2 / sqrt(relu_length) where that is not 0. `most` and `entropy`: [T] when given.
inline Rows attended(const Rows& q, const Rows& k, const Rows& v, double scale, double softcap, double relu_length,
                     Values* most = nullptr, Values* entropy = nullptr) {
  Rows out(q.rows, v.width);
  for (std::int64_t t = 0; t < q.rows; ++t) {
    Values z;
    double top = -INFINITY, sum = 0, disorder = 0;
    for (std::int64_t s = 0; s <= t; ++s) {
      double x = 0;
      for (std::int64_t i = 0; i < q.width; ++i) x += q(t, i) * k(s, i) * scale;
      top = std::max(top, x);
      z.push_back(softcap > 0 ? softcap * std::tanh(x / softcap) : x);
    }
    for (double& x : z) {
      if (relu_length > 0) x = std::max(x, 0.0) * std::max(x, 0.0) / std::sqrt(relu_length);
      else sum += x = std::exp(x);
    }
    for (std::int64_t s = 0; s <= t; ++s) {
      const double w = z[static_cast<std::size_t>(s)] / (relu_length > 0 ? 1 : sum);
      if (w > 0 && relu_length == 0) disorder -= w * std::log(w);
      for (std::int64_t i = 0; i < v.width; ++i) out(t, i) += w * v(s, i);
    }
    if (most) most->push_back(top);
    if (entropy) entropy->push_back(disorder);
  }
  return out;
}

// The parameters of a module by name, as the forward pass reads them: times their multipliers.
class Weights {
 public:
  explicit Weights(nn::Module& module) {
    for (const nn::Parameter* p : module.parameters())
      all_.insert_or_assign(p->name, p->multiplier == 1 ? p->var.value() : (p->var * p->multiplier).value());
  }
  Rows rows(const std::string& name) const { return Rows(all_.at(name)); }
  Values values(const std::string& name) const {  // empty where there is none
    const auto it = all_.find(name);
    return it == all_.end() ? Values() : it->second.to_vector<double>();
  }

 private:
  std::map<std::string, Tensor> all_;
};

// Every parameter far from its special start (gains of one, biases of zero), so that none can be left out unnoticed.
inline void scramble(nn::Arena& arena, const Key& key) {
  for (const auto& slot : arena.slots()) {
    if (slot.parameter->role != nn::Role::vector) continue;
    const Tensor noise = key.at(slot.parameter->name).normal(slot.parameter->shape, 0, 0.3, arena.dtype());
    arena.value(slot).add_(noise);
  }
}

}  // namespace plumb::plain
