// Kill and resume: a child process is killed at random moments until it gets through, then compared.
#include <fmt/format.h>

#include "core/random.h"
#include "lab/check/child.h"
#include "lab/run/summary.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

CheckResult check_kill(const CheckOptions& o) {
  CheckResult r{.unit = "kills survived"};
  const std::string plumb = plumb_of(o);
  const Workplace work(o);
  const std::string calm = work / "calm", hunted = work / "hunted";
  const std::vector<std::string> start{plumb, "train", work.config(), "--quiet", "--threads", "1", "--out"};
  const auto with = [](std::vector<std::string> words, const std::string& last) {
    words.push_back(last);
    return words;
  };
  if (!finish(spawn(with(start, calm)), 0))
    throw UserError("the undisturbed run failed", "check kill", fmt::format("{} train {}", plumb, work.config()));
  const std::int64_t kills = o.full ? 1000 : 20;
  std::int64_t done = 0;
  for (std::uint64_t i = 0; done < kills; ++i) {
    // From before the first write to deep in the run. A run that was killed before it existed is started again.
    const double patience = 0.002 + 0.25 * Key(o.seed).at("kill").uniform_at(i);
    const bool exists = fs::exists(fs::path(hunted) / "journal");
    if (!exists) fs::remove_all(hunted);
    const bool finished =
        finish(spawn(exists ? std::vector<std::string>{plumb, "resume", hunted, "--quiet", "--threads", "1"}
                            : with(start, hunted)),
               patience);
    if (!finished) {
      ++done;
      continue;
    }
    const Difference d = compare_runs(calm, hunted);
    if (!d.equal() && r.failure.empty())
      r.failure = d.tensors.value_or(d.metrics.value_or("the configuration differs"));
    fs::remove_all(hunted);  // through alive: hunt the next one
  }
  if (fs::exists(fs::path(hunted) / "journal"))
    finish(spawn({plumb, "resume", hunted, "--quiet", "--threads", "1"}), 0);
  else finish(spawn(with(start, hunted)), 0);
  const Difference d = compare_runs(calm, hunted);
  if (!d.equal() && r.failure.empty()) r.failure = d.tensors.value_or(d.metrics.value_or("the configuration differs"));
  r.value = fmt::format("{}/{}", r.failure.empty() ? kills : 0, kills);
  r.holds = r.failure.empty();
  return r;
}

const CheckRegistration registered({.figure = "R1",
                                    .name = "kill",
                                    .help = "killed at random moments and resumed, a run ends with the same bits",
                                    .run = check_kill});

}  // namespace
}  // namespace plumb::lab
