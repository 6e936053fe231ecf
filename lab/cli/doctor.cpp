// plumb doctor: the machine, and what a configuration would cost before it starts.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <chrono>

#include "core/build_info.h"
#include "core/cpu/gemm.h"  // check: allow devices, the peak of this very CPU is what it measures
#include "core/cpu/isa.h"
#include "core/parallel.h"
#include "core/storage.h"
#include "lab/cli/command.h"
#include "lab/config/read.h"
#include "lab/progress.h"
#include "lab/run/available_memory.h"
#include "lab/run/memory_estimate.h"
#include "lab/run/trainer.h"

namespace plumb::cli {
namespace {

double machine_memory() {
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
}

nlohmann::json machine() {
  const BuildInfo& b = build_info();
  nlohmann::json libraries;
  for (const auto& [name, version] : b.libraries) libraries[name] = version;
  const std::string gpu = why_unavailable(Device{DeviceKind::cuda, 0});
  return {{"plumb", b.version},
          {"commit", b.source()},
          {"compiler", b.compiler},
          {"build", b.build_type},
          {"libraries", libraries},
          {"cpu", cpu::cpu_model()},
          {"isa", cpu::name_of(cpu::isa())},
          {"bf16_products", cpu::has_tiles()      ? "AMX"
                            : cpu::has_bf16_dot() ? "AVX512_BF16"
                                                  : "widened to f32"},
          {"threads", num_threads()},
          {"memory_gib", machine_memory() / (1 << 30)},
          {"matmul_peak_gflops", cpu::measure_peak_gflops(DType::f32, num_threads())},
          {"gpu", gpu.empty() ? backend(Device{DeviceKind::cuda, 0}).describe() : "none: " + gpu}};
}

constexpr double mib = 1 << 20;

nlohmann::json memory_of(const lab::MemoryEstimate& estimate, const lab::AvailableMemory& available) {
  nlohmann::json parts;
  for (const auto& p : estimate.parts) parts.push_back({{"name", p.name}, {"mib", p.bytes / mib}});
  return {{"parts", parts},
          {"process_mib", estimate.total() / mib},
          {"tensors_mib", estimate.tensors / mib},
          {"available_mib", available.bytes / mib},
          {"limit", available.limit},
          {"fits", estimate.total() - estimate.program <= available.bytes}};
}

// Parameters, floating-point operations and time of a configuration, by taking steps.
nlohmann::json measured_cost(const Value& root, const lab::RunConfig& config, double peak_gflops) {
  lab::Trainer trainer = with_places(root, [&] { return lab::Trainer(config); });
  const double tokens = static_cast<double>(config.train.batch * config.model.context);
  const double flops = trainer.train_flops_per_token() * tokens;
  trainer.step();
  const auto before = std::chrono::steady_clock::now();
  trainer.step();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  return {{"parameters", trainer.model().parameter_count()},
          {"data", trainer.data().describe()},
          {"tokens_per_step", tokens},
          {"gflop_per_step", flops / 1e9},
          {"peak_memory_mib", static_cast<double>(memory_stats().peak) / mib},
          {"seconds_per_step", seconds},
          {"share_of_peak", flops / 1e9 / seconds / peak_gflops},
          {"steps", config.run.steps},
          {"total_seconds", seconds * static_cast<double>(config.run.steps)}};
}

// What a configuration would cost: its memory as estimated, the rest as measured unless it does not fit.
nlohmann::json cost(const Arguments& a, double peak_gflops) {
  const Value root = load_config(a.word("CONFIG"), a.common.set);
  lab::RunConfig config;
  read(root, config);
  const auto memory =
      with_places(root, [&] { return memory_of(lab::estimate_memory(config), lab::available_memory()); });
  nlohmann::json j = memory["fits"] ? measured_cost(root, config, peak_gflops) : nlohmann::json::object();
  j["memory"] = memory;
  return j;
}

void print_memory(const nlohmann::json& cost) {
  const auto& memory = cost["memory"];
  const auto line = [](const std::string& name, const nlohmann::json& size, const std::string& note = {}) {
    fmt::print("  {:<44} {:>10}{}\n", name, lab::bytes_text(size.get<double>() * mib), note);
  };
  fmt::print("memory, as estimated\n");
  for (const auto& p : memory["parts"]) line(p["name"].get<std::string>(), p["mib"]);
  line("the whole process", memory["process_mib"]);
  line("of that, tensors of a training step", memory["tensors_mib"],
       cost.contains("peak_memory_mib")
           ? fmt::format("  (measured {})", lab::bytes_text(cost["peak_memory_mib"].get<double>() * mib))
           : "");
  line("available", memory["available_mib"], "  (" + memory["limit"].get<std::string>() + ")");
  if (!memory["fits"]) fmt::print("  it does not fit: no step was taken\n");
}

void print(const nlohmann::json& j, const std::string& title) {
  fmt::print("{}\n", title);
  for (const auto& [key, value] : j.items()) {
    if (key == "memory") continue;  // a table of its own
    if (value.is_object()) {
      std::string line;
      for (const auto& [k, v] : value.items())
        line += fmt::format("{}{} {}", line.empty() ? "" : ", ", k, v.get<std::string>());
      fmt::print("  {:<20} {}\n", key, line);
    } else if (value.is_string()) {
      fmt::print("  {:<20} {}\n", key, value.get<std::string>());
    } else if (value.is_number_float()) {
      fmt::print("  {:<20} {:.4g}\n", key, value.get<double>());
    } else {
      fmt::print("  {:<20} {}\n", key, value.dump());
    }
  }
}

int doctor(const Arguments& a) {
  nlohmann::json j{{"machine", machine()}};
  if (!a.word("CONFIG").empty()) j["config"] = cost(a, j["machine"]["matmul_peak_gflops"].get<double>());
  if (a.common.json) {
    fmt::print("{}\n", j.dump());
    return 0;
  }
  print(j["machine"], "machine");
  if (!j.contains("config")) return 0;
  print(j["config"], a.word("CONFIG"));
  if (j["config"].contains("total_seconds"))
    fmt::print("  {:<20} {}\n", "time", duration_text(j["config"]["total_seconds"].get<double>()));
  print_memory(j["config"]);
  return 0;
}

const Registration registered({.name = "doctor",
                               .group = Group::machine,
                               .help = "show the machine, and what a configuration would cost",
                               .example = "plumb doctor examples/text/byte_gpt.toml --set data.path=input.txt",
                               .words = {{.name = "CONFIG", .help = "a TOML file", .optional = true}},
                               .options = {},
                               .without = {"--out", "--device", "--jobs", "--dry-run"},
                               .run = doctor});

}  // namespace
}  // namespace plumb::cli
