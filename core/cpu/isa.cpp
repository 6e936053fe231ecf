// The choice of instruction set.
#include "core/cpu/isa.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "core/errors.h"

namespace plumb::cpu {
namespace {

Isa best() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    return Isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
  return Isa::baseline;
}

Isa decide() {
  const Isa most = best();
  Isa chosen = most;
  if (const char* wish = std::getenv("PLUMB_ISA"); wish && *wish) {
    const std::string w = wish;
    if (w == "baseline") chosen = Isa::baseline;
    else if (w == "avx2") chosen = Isa::avx2;
    else if (w == "avx512") chosen = Isa::avx512;
    else
      throw UserError(fmt::format("PLUMB_ISA = \"{}\" is not an instruction set", w), "environment",
                      "use baseline, avx2 or avx512");
    if (chosen > most)
      throw UserError(fmt::format("PLUMB_ISA = {} but this CPU offers {}", w, name_of(most)), "environment",
                      "unset PLUMB_ISA, or name a lower one");
  }
  const char* onednn[] = {"SSE41", "AVX2", "AVX512_CORE_BF16"};
  setenv("ONEDNN_MAX_CPU_ISA", onednn[static_cast<int>(chosen)], 1);
  return chosen;
}

}  // namespace

Isa isa() {
  static const Isa chosen = decide();
  return chosen;
}

bool has_bf16_dot() { return isa() == Isa::avx512 && __builtin_cpu_supports("avx512bf16"); }

std::string name_of(Isa isa) {
  const char* names[] = {"baseline", "avx2", "avx512"};
  return names[static_cast<int>(isa)];
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown CPU";
}

}  // namespace plumb::cpu
