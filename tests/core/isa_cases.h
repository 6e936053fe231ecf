// Runs a check on every instruction set that this CPU has.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plumb::test {

inline bool cpu_has(const std::string& isa) {
  __builtin_cpu_init();
  if (isa == "avx512")
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return isa == "baseline" || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}

template <class Table>
struct IsaTable {
  std::string name;
  const Table* table;
};

// The tables of a family that can run here, best last.
template <class Table>
std::vector<IsaTable<Table>> runnable(const Table& (*baseline)(), const Table& (*avx2)(), const Table& (*avx512)()) {
  std::vector<IsaTable<Table>> found{{"baseline", &baseline()}};
  if (cpu_has("avx2")) found.push_back({"avx2", &avx2()});
  if (cpu_has("avx512")) found.push_back({"avx512", &avx512()});
  return found;
}

}  // namespace plumb::test
