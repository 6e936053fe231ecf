// Speed of products: GFLOP/s of one core for the shapes that training meets. `--benchmark_filter=f32` picks some.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "core/cpu/gemm.h"

namespace {

using plumb::DType;

std::vector<std::byte> values(std::int64_t n, DType t) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(static_cast<std::size_t>(n) * plumb::size_of(t));
  plumb::visit_dtype(t, [&](auto zero) {
    using T = decltype(zero);
    auto* p = reinterpret_cast<T*>(bytes.data());
    for (std::int64_t i = 0; i < n; ++i) p[i] = T(static_cast<float>(random() % 2001) * 1e-3f - 1.0f);
  });
  return bytes;
}

enum class Kind { forward, weights_across, weight_gradient };  // A B; A W^T with W [n, k]; X^T dY

void product(benchmark::State& state, DType t, Kind kind) {
  const std::int64_t m = state.range(0), k = state.range(1), n = state.range(2), k_example = state.range(3);
  const auto a = values(m * k, t), b = values(k * n, t);
  const DType c_dtype = t == DType::f64 ? DType::f64 : DType::f32;
  auto c = values(m * n, c_dtype);
  plumb::cpu::AnyGemm g{.m = m, .n = n, .k = k};
  g.a = a.data(), g.a_dtype = t, g.b = b.data(), g.b_dtype = t, g.c = c.data(), g.c_dtype = c_dtype, g.c_row = n;
  g.a_row = k, g.a_col = 1, g.b_row = n, g.b_col = 1;
  if (kind == Kind::weight_gradient) g.a_row = 1, g.a_col = m, g.accumulate = true;
  if (kind == Kind::weights_across) g.b_row = 1, g.b_col = k;
  g.k_example = k_example;
  for (auto _ : state) {
    plumb::cpu::gemm_serial(g);
    benchmark::ClobberMemory();
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(m * n * k), benchmark::Counter::kIsIterationInvariantRate);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->Args({2048, 256, 256, 0})
      ->Args({2048, 1024, 256, 0})
      ->Args({512, 512, 512, 0})
      ->Args({2048, 256, 1024, 0})
      ->Args({1024, 64, 256, 0})
      ->Args({1024, 64, 64, 0});
  b->Args({48, 64, 512, 0})
      ->Args({48, 512, 64, 0})
      ->Args({48, 16, 48, 0})
      ->Args({16, 16, 64, 0})
      ->Args({64, 16, 64, 0});
  b->Args({1, 64, 256, 0})
      ->Args({1, 1024, 1024, 0})
      ->Args({8, 256, 1024, 0})
      ->Args({8, 1024, 256, 0})
      ->Args({8, 256, 256, 0})
      ->Args({8, 64, 64, 0})
      ->Args({8, 512, 2048, 0})
      ->Args({8, 2048, 2048, 0});
}
void gradients(benchmark::internal::Benchmark* b) {
  b->Args({256, 2048, 1024, 256})
      ->Args({256, 2048, 256, 256})
      ->Args({64, 2048, 256, 256})
      ->Args({64, 2048, 256, 32})
      ->Args({64, 512, 64, 1});
}

BENCHMARK_CAPTURE(product, f32, DType::f32, Kind::forward)->Apply(shapes);
BENCHMARK_CAPTURE(product, f32_across, DType::f32, Kind::weights_across)->Apply(shapes);
BENCHMARK_CAPTURE(product, f32_gradient, DType::f32, Kind::weight_gradient)->Apply(gradients);
BENCHMARK_CAPTURE(product, f64, DType::f64, Kind::forward)->Apply(shapes);
BENCHMARK_CAPTURE(product, bf16, DType::bf16, Kind::forward)->Apply(shapes);
BENCHMARK_CAPTURE(product, bf16_across, DType::bf16, Kind::weights_across)->Apply(shapes);
BENCHMARK_CAPTURE(product, bf16_gradient, DType::bf16, Kind::weight_gradient)->Apply(gradients);

}  // namespace
