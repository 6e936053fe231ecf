// The number of threads must not change a bit.
#include <fmt/format.h>

#include "lab/check/check.h"
#include "lab/check/numbers/variants.h"
#include "lab/check/small_run.h"

namespace plumb::lab {
namespace {

CheckResult check_threads(const CheckOptions& o) {
  Cases cases(o, "thread counts and models");
  const ThreadsKept kept;
  std::int64_t number = 0;
  for (const auto& [name, outcome] : subjects()) {
    const std::int64_t steps = o.full ? 60 : 2;
    std::string expected;
    for (const int threads : {2, 3, 4, 8, 16}) {
      const std::int64_t mine = number++;
      if (!cases.wants(mine)) continue;
      if (expected.empty()) {
        set_num_threads(1);
        expected = outcome(steps);
      }
      set_num_threads(threads);
      cases.note(mine, outcome(steps) == expected, fmt::format("{}: {} threads differ from one", name, threads));
    }
  }
  return cases.result();
}

const CheckRegistration registered({.figure = "R3",
                                    .name = "threads",
                                    .help = "the same bits with 1, 2, 3, 4, 8 and 16 threads, for each option",
                                    .run = check_threads});

}  // namespace
}  // namespace plumb::lab
