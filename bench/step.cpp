// Speed of whole training steps (batch, forward, backward, clipping, AdamW), as a share of the speed that the machine's
// best product reaches in the same seconds. Arguments: width, layers, heads, context, batch.
#include <benchmark/benchmark.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "core/cpu/gemm.h"
#include "core/parallel.h"
#include "lab/run/trainer.h"

namespace {

using namespace plumb;

std::string text_file() {
  const std::string path = (std::filesystem::temp_directory_path() / "plumb_bench_step.txt").string();
  std::ofstream out(path, std::ios::binary);
  const Key key = Key(1).at("text");
  for (std::uint64_t i = 0; i < 1 << 16; ++i) out.put(static_cast<char>(key.below(256, i)));
  return path;
}

lab::Trainer trainer_of(const benchmark::State& state, lab::Precision precision) {
  static const std::string path = text_file();
  lab::RunConfig c;
  c.run.steps = 1 << 20;
  c.run.eval_rows = 1;
  c.data.kind = lab::DataKind::text;
  c.data.text.path = {path};
  c.model.width = state.range(0), c.model.layers = state.range(1), c.model.heads = state.range(2);
  c.model.context = state.range(3), c.train.batch = state.range(4);
  c.train.precision = precision;
  return lab::Trainer(c);
}

void train_step(benchmark::State& state, lab::Precision precision) {
  lab::Trainer trainer = trainer_of(state, precision);
  for (int i = 0; i < 3; ++i) trainer.step();
  const auto peak = [] { return cpu::measure_peak_gflops(DType::f32, num_threads()); };
  double at_peak = peak(), seconds = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    trainer.step();
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  at_peak = std::max(at_peak, peak());
  const double tokens = static_cast<double>(state.iterations() * state.range(3) * state.range(4));
  const double gflops = 1e-9 * trainer.train_flops_per_token() * tokens / seconds;
  state.counters["tokens/s"] = tokens / seconds;
  state.counters["GFLOP/s"] = gflops;
  state.counters["share of f32 peak"] = gflops / at_peak;
}

void sizes(benchmark::internal::Benchmark* b) {
  b->Args({64, 2, 4, 64, 16})->Args({64, 2, 4, 31, 64})->Args({128, 4, 4, 128, 16})->Args({256, 4, 4, 256, 8});
  b->Args({512, 6, 8, 256, 8})->Unit(benchmark::kMillisecond)->UseRealTime();
}

BENCHMARK_CAPTURE(train_step, f32, lab::Precision::f32)->Apply(sizes);
BENCHMARK_CAPTURE(train_step, bf16, lab::Precision::bf16)->Apply(sizes);

}  // namespace
