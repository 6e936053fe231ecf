// Every product against the plain loop of its contract (Matmul in core/backend.h), whichever kernel computed it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/cpu/isa.h"
#include "core/random.h"
#include "core/tensor_ops.h"
#include "lab/check/check.h"

namespace plumb::lab {
namespace {

// Chains over at most k_block consecutive k, added in order. The baseline instruction set has no fused multiply-add.
template <class T>
T element(const T* a, const T* b, std::int64_t k, std::int64_t a_step, std::int64_t b_step) {
  static const bool fused = cpu::isa() != cpu::Isa::baseline;
  T sum = 0;
  for (std::int64_t p = 0; p < k; p += kernels::Matmul::k_block) {
    T part = 0;
    for (std::int64_t i = p; i < std::min(p + kernels::Matmul::k_block, k); ++i)
      part = fused ? std::fma(a[i * a_step], b[i * b_step], part) : a[i * a_step] * b[i * b_step] + part;
    sum = p == 0 ? part : sum + part;
  }
  return sum;
}

template <class T>
bool equals_plain_loop(const Tensor& a, const Tensor& b) {
  const Tensor c = kernels::matmul(a, b);
  const std::int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      if (c.data<T>()[i * n + j] != element(a.data<T>() + i * a.strides()[0], b.data<T>() + j * b.strides()[1], k,
                                            a.strides()[1], b.strides()[0]))
        return false;
  return true;
}

// Sizes around those of tiles, blocks and vectors, and between.
std::int64_t size_of(const Key& key, std::uint64_t axis, std::uint64_t limit) {
  constexpr std::int64_t edges[] = {1, 2, 15, 16, 17, 47, 48, 49, 95, 96, 97};
  const std::uint64_t draw = key.below(24, axis);
  if (draw < std::size(edges)) return edges[draw];
  return 1 + static_cast<std::int64_t>(key.below(limit, axis + 100));
}

CheckResult check_products(const CheckOptions& o) {
  Cases cases(o, "products");
  const std::int64_t count = o.full ? 20000 : 300;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!cases.wants(i)) continue;
    const Key key = Key(o.seed).at("products").at(static_cast<std::uint64_t>(i));
    const std::int64_t m = size_of(key, 0, 70), n = size_of(key, 1, 70), k = size_of(key, 2, 700);
    const bool a_turned = key.below(2, 3), b_turned = key.below(2, 4), wide = key.below(2, 5);
    const DType t = wide ? DType::f64 : DType::f32;
    const auto draw = [&](const char* name, std::int64_t rows, std::int64_t columns, bool turned) {
      return turned ? key.at(name).normal({columns, rows}, 0, 1, t).transpose(0, 1)
                    : key.at(name).normal({rows, columns}, 0, 1, t);
    };
    const Tensor a = draw("a", m, k, a_turned), b = draw("b", k, n, b_turned);
    cases.note(
        i, wide ? equals_plain_loop<double>(a, b) : equals_plain_loop<float>(a, b),
        fmt::format("{} [{},{}]{} x [{},{}]{} is not the plain loop with {}", name_of(t), m, k,
                    a_turned ? " transposed" : "", k, n, b_turned ? " transposed" : "", cpu::name_of(cpu::isa())));
  }
  return cases.result();
}

const CheckRegistration registered({.figure = "R20",
                                    .name = "products",
                                    .help = "every product equals the plain loop of its contract",
                                    .run = check_products});

}  // namespace
}  // namespace plumb::lab
