// Every instruction set keeps the promises by itself, and those with fused products agree to the bit.
#include "core/cpu/isa.h"

#include <fmt/format.h>

#include "lab/check/child.h"
#include "lab/run/summary.h"

namespace plumb::lab {
namespace {

constexpr const char* promises[] = {"threads", "accumulation", "rows", "products", "ulps"};

// In the short form the two that are surely not in use here: each promise has tried the one that is.
std::vector<cpu::Isa> tried(bool full) {
  std::vector<cpu::Isa> all;
  for (const auto isa : {cpu::Isa::baseline, cpu::Isa::avx2, cpu::Isa::avx512, cpu::Isa::amx})
    if (full ? isa <= cpu::isa() : isa < std::min(cpu::isa(), cpu::Isa::avx512)) all.push_back(isa);
  return all;
}

std::string setting(cpu::Isa isa) { return "PLUMB_ISA=" + cpu::name_of(isa); }

// A run's folder after a training run with that instruction set.
std::string trained(const CheckOptions& o, const Workplace& work, cpu::Isa isa) {
  const std::string folder = work / cpu::name_of(isa);
  const std::vector<std::string> command{plumb_of(o),    "train", work.config(),         "--quiet", "--set",
                                         "run.steps=60", "--set", "checkpoint.every=20", "--out",   folder};
  if (!finish(spawn(command, {setting(isa)}), 0))
    throw UserError("a run failed", "check", fmt::format("{} plumb train {}", setting(isa), work.config()));
  return folder;
}

CheckResult check_instruction_sets(const CheckOptions& o) {
  if (tried(o.full).empty()) return {.skipped = "this CPU has neither AVX2 nor AVX-512"};
  Cases cases(o, "promises and instruction sets");
  for (const auto isa : tried(o.full))
    for (const char* promise : promises) {
      if (!cases.next()) continue;
      std::vector<std::string> command{plumb_of(o), "check", promise, "--seed", std::to_string(o.seed)};
      if (o.full) command.push_back("--full");
      cases.note(finish(spawn(command, {setting(isa)}), 0),
                 fmt::format("{} plumb check {} fails; run it to see why", setting(isa), promise));
    }
  for (const auto isa : {cpu::Isa::avx512, cpu::Isa::amx}) {
    if (isa > cpu::isa() || !cases.next()) continue;
    const Workplace work(o);
    const Difference d = compare_runs(trained(o, work, cpu::Isa::avx2), trained(o, work, isa));
    cases.note(d.equal(), d.tensors.value_or(d.metrics.value_or("the configuration differs")));
  }
  return cases.result();
}

const CheckRegistration registered(
    {.figure = "R20",
     .name = "isa",
     .help =
         "each instruction set keeps these promises by itself; an f32 run has the same bits with AVX2, AVX-512 and AMX",
     .run = check_instruction_sets});

}  // namespace
}  // namespace plumb::lab
