// The number of threads must not change a bit.
#include <fmt/format.h>

#include "core/parallel.h"
#include "lab/check/check.h"
#include "lab/check/small_run.h"

namespace plumb::lab {
namespace {

struct ThreadsKept {
  int before = num_threads();
  ~ThreadsKept() { set_num_threads(before); }
};

CheckResult check_threads(const CheckOptions& o) {
  Cases cases(o, "thread counts and models");
  const ThreadsKept kept;
  std::vector<RunConfig> configs{small_config()};
  configs.push_back(small_config());
  configs.back().model.width = 128;  // large enough for parallel loops in every kernel
  configs.back().model.heads = 4;
  configs.back().train.batch = 32;
  configs.push_back(configs.back());
  configs.back().optim.rule = optim::Rule::muon;
  configs.back().train.precision = Precision::bf16;
  configs.back().train.leaves = 2;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    if (!cases.wants(static_cast<std::int64_t>(i))) continue;
    const std::int64_t steps = o.full || i == 0 ? 60 : 6;
    set_num_threads(1);
    const std::string expected = outcome_of(configs[i], steps);
    for (const int n : o.full ? std::vector<int>{2, 3, 4, 8, 16} : std::vector<int>{2, 3, 4, 8}) {
      set_num_threads(n);
      cases.note(static_cast<std::int64_t>(i), outcome_of(configs[i], steps) == expected,
                 fmt::format("model {}: {} threads differ from one", i, n));
    }
  }
  return cases.result();
}

const CheckRegistration registered(
    {.figure = "R3", .name = "threads", .help = "the same bits with 1, 2, 3, 4 and 8 threads", .run = check_threads});

}  // namespace
}  // namespace plumb::lab
