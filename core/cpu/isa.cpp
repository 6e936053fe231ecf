// The choice of instruction set.
#include "core/cpu/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "core/errors.h"

namespace plumb::cpu {
namespace {

// The tile unit, and the kernel's leave to use its registers (asked for once, for all threads).
bool may_use_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned bf16 = 1u << 22, tile = 1u << 24;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & bf16) == 0 || (d & tile) == 0) return false;
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

Isa best() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    return __builtin_cpu_supports("avx512bf16") && may_use_tiles() ? Isa::amx : Isa::avx512;
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
    else if (w == "amx") chosen = Isa::amx;
    else
      throw UserError(fmt::format("PLUMB_ISA = \"{}\" is not an instruction set", w), "environment",
                      "use baseline, avx2, avx512 or amx");
    if (chosen > most)
      throw UserError(fmt::format("PLUMB_ISA = {} but this CPU offers {}", w, name_of(most)), "environment",
                      "unset PLUMB_ISA, or name a lower one");
  }
  const char* onednn[] = {"SSE41", "AVX2", "AVX512_CORE_BF16", "AVX512_CORE_AMX"};
  setenv("ONEDNN_MAX_CPU_ISA", onednn[static_cast<int>(chosen)], 1);
  return chosen;
}

}  // namespace

Isa isa() {
  static const Isa chosen = decide();
  return chosen;
}

bool has_bf16_dot() { return isa() >= Isa::avx512 && __builtin_cpu_supports("avx512bf16"); }
bool has_tiles() { return isa() == Isa::amx; }

std::string name_of(Isa isa) {
  const char* names[] = {"baseline", "avx2", "avx512", "amx"};
  return names[static_cast<int>(isa)];
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown CPU";
}

}  // namespace plumb::cpu
