// Speed of single operators, forward and with their gradients, at the sizes of a training step. Operators that read and
// write are measured in copies: their time over that of copying their input, taken in the same seconds. Those that
// multiply are measured as a share of the machine's best product.
#include <benchmark/benchmark.h>

#include <chrono>
#include <functional>
#include <optional>

#include "autograd/backward.h"
#include "autograd/ops.h"
#include "core/cpu/gemm.h"
#include "core/parallel.h"
#include "core/random.h"

namespace {

using namespace plumb;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Var leaf(const Shape& shape, double std = 1) {
  static std::uint64_t next = 0;
  return Var::leaf(Key(next++).normal(shape, 0, std, DType::f32), {}, "x");
}

using Operator = std::function<Var()>;

double measure(benchmark::State& state, const Operator& op, bool with_gradient) {
  std::optional<NoGrad> off;
  if (!with_gradient) off.emplace();
  const Tensor seed = Key(99).normal(op().shape(), 0, 1, DType::f32);
  double seconds = 0;
  for (auto _ : state)
    seconds += seconds_of([&] {
      const Var y = op();
      if (with_gradient) backward({{y, seed}});
      benchmark::DoNotOptimize(y.value().data<float>());
    });
  return seconds / static_cast<double>(state.iterations());
}

void in_copies(benchmark::State& state, const Operator& op, const Tensor& input, bool with_gradient) {
  const double seconds = measure(state, op, with_gradient);
  double copy = 1e9;
  Tensor into = input.clone();
  for (int i = 0; i < 20; ++i) copy = std::min(copy, seconds_of([&] { into.copy_(input); }));
  state.counters["copies"] = seconds / copy;
  state.counters["GB/s read"] = 1e-9 * static_cast<double>(input.numel()) * 4 / seconds;
}

void in_products(benchmark::State& state, const Operator& op, double flops, bool with_gradient) {
  const double peak = cpu::measure_peak_gflops(DType::f32, num_threads());
  const double gflops = 1e-9 * flops * (with_gradient ? 3 : 1) / measure(state, op, with_gradient);
  state.counters["GFLOP/s"] = gflops;
  state.counters["share of f32 peak"] = gflops / peak;
}

void elementwise(benchmark::State& state, Var (*f)(const Var&), bool with_gradient) {
  const Var x = leaf({8, state.range(0), state.range(1)});
  in_copies(
      state, [&] { return f(x); }, x.value(), with_gradient);
}

void norm(benchmark::State& state, bool center, bool with_gradient) {
  const Var x = leaf({8, state.range(0), state.range(1)}), gain = leaf({state.range(1)});
  in_copies(
      state, [&] { return normalise(x, gain, {}, {.center = center}); }, x.value(), with_gradient);
}

void rope_turn(benchmark::State& state, bool with_gradient) {
  const Var x = leaf({8, state.range(0), state.range(1) / 64, 64});
  in_copies(
      state, [&] { return rope(x, {.start = {}}); }, x.value(), with_gradient);
}

// 8 sequences of T tokens and 4 heads of d.
void attend(benchmark::State& state, bool with_gradient) {
  const std::int64_t t = state.range(0), d = state.range(1);
  const Var q = leaf({8, t, 4, d}), k = leaf({8, t, 4, d}), v = leaf({8, t, 4, d});
  const double pairs = static_cast<double>(8 * 4 * t * (t + 1) / 2);
  in_products(
      state, [&] { return attention(q, k, v, {.scale = 0.1, .kv_length = {}}); }, 4 * pairs * static_cast<double>(d),
      with_gradient);
}

// 2048 tokens of width d, a vocabulary of V.
void head(benchmark::State& state, bool with_gradient) {
  const std::int64_t d = state.range(0), vocab = state.range(1);
  const Var x = leaf({8, 256, d}), w = leaf({vocab, d}, 0.1);
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < 8 * 256; ++i) labels.push_back(i * 31 % vocab);
  const Tensor label = Tensor::from(labels, {8, 256});
  in_products(
      state, [&] { return token_logprobs(x, w, {}, label); }, 2.0 * 2048 * static_cast<double>(d * vocab),
      with_gradient);
}

void rows(benchmark::internal::Benchmark* b) {
  b->ArgNames({"T", "width"})->Args({64, 64})->Args({256, 256})->Args({256, 1024})->UseRealTime();
}
void heads(benchmark::internal::Benchmark* b) {
  b->ArgNames({"T", "d"})->Args({32, 16})->Args({64, 16})->Args({256, 64})->Args({1024, 64})->UseRealTime();
}
void vocabularies(benchmark::internal::Benchmark* b) {
  b->ArgNames({"d", "V"})->Args({64, 256})->Args({256, 256})->Args({256, 4096})->Args({256, 32000})->UseRealTime();
}

BENCHMARK_CAPTURE(elementwise, gelu, gelu, false)->Apply(rows);
BENCHMARK_CAPTURE(elementwise, gelu_with_gradient, gelu, true)->Apply(rows);
BENCHMARK_CAPTURE(elementwise, exp, plumb::exp, false)->Apply(rows);
BENCHMARK_CAPTURE(elementwise, exp_with_gradient, plumb::exp, true)->Apply(rows);
BENCHMARK_CAPTURE(elementwise, softmax, softmax, false)->Apply(rows);
BENCHMARK_CAPTURE(elementwise, softmax_with_gradient, softmax, true)->Apply(rows);
BENCHMARK_CAPTURE(norm, layernorm, true, false)->Apply(rows);
BENCHMARK_CAPTURE(norm, layernorm_with_gradient, true, true)->Apply(rows);
BENCHMARK_CAPTURE(norm, rmsnorm, false, false)->Apply(rows);
BENCHMARK_CAPTURE(norm, rmsnorm_with_gradient, false, true)->Apply(rows);
BENCHMARK_CAPTURE(rope_turn, rope, false)->Apply(rows);
BENCHMARK_CAPTURE(rope_turn, rope_with_gradient, true)->Apply(rows);
BENCHMARK_CAPTURE(attend, attention, false)->Apply(heads);
BENCHMARK_CAPTURE(attend, attention_with_gradient, true)->Apply(heads);
BENCHMARK_CAPTURE(head, token_logprobs, false)->Apply(vocabularies);
BENCHMARK_CAPTURE(head, token_logprobs_with_gradient, true)->Apply(vocabularies);

}  // namespace
