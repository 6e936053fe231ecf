// The number of threads must not change a bit.
#include <fmt/format.h>

#include <iterator>

#include "lab/check/check.h"
#include "lab/check/numbers/variants.h"
#include "lab/check/small_run.h"

namespace plumb::lab {
namespace {

constexpr int counts[] = {2, 3, 4, 8, 16};

// In the short form one count each, in turn; all of them for the first and the last.
bool tries(bool full, std::size_t subject, std::size_t subjects, std::size_t count) {
  return full || subject == 0 || subject + 1 == subjects || subject % std::size(counts) == count;
}

CheckResult check_threads(const CheckOptions& o) {
  Cases cases(o, "thread counts and models");
  const ThreadsKept kept;
  const auto all = subjects();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::int64_t steps = o.full ? 60 : 2;
    std::string expected;
    for (std::size_t n = 0; n < std::size(counts); ++n) {
      const auto number = static_cast<std::int64_t>(i * std::size(counts) + n);
      if (!cases.wants(number) || !tries(o.full, i, all.size(), n)) continue;
      if (expected.empty()) {
        set_num_threads(1);
        expected = all[i].outcome(steps);
      }
      set_num_threads(counts[n]);
      cases.note(number, all[i].outcome(steps) == expected,
                 fmt::format("{}: {} threads differ from one", all[i].name, counts[n]));
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
