// Figures that need a build of their own: scripts in tools/ of the source tree, whose last line is value, unit and
// verdict ("holds", or what is wrong) with tabs between them.
#include <fmt/format.h>

#include <filesystem>

#include "lab/check/check.h"
#include "lab/check/child.h"
#include "lab/report/process.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

// The script in the source tree around the build folder that holds `plumb`; empty where there is none.
fs::path script_near(const fs::path& plumb, const std::string& name) {
  for (fs::path folder = fs::absolute(plumb).parent_path(); folder != folder.root_path(); folder = folder.parent_path())
    if (fs::exists(folder / "tools" / name)) return folder / "tools" / name;
  return {};
}

std::vector<std::string> cells_of_last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  text.remove_prefix(std::min(text.size(), text.rfind('\n') + 1));
  std::vector<std::string> cells{""};
  for (const char c : text) {
    if (c == '\t') cells.emplace_back();
    else cells.back() += c;
  }
  return cells;
}

CheckResult run_script(const CheckOptions& o, const std::string& name, const std::vector<std::string>& words) {
  CheckResult r;
  const fs::path script = script_near(plumb_of(o), name);
  if (script.empty()) {
    r.skipped = "needs the source tree, with plumb in a build folder of it";
    return r;
  }
  std::vector<std::string> command{"bash", script.string()};
  command.insert(command.end(), words.begin(), words.end());
  const auto ran = report::run_process(command, "");
  const auto cells = cells_of_last_line(ran.out);
  if (cells.size() == 3) {
    r.value = cells[0];
    r.unit = cells[1];
    r.failure = cells[2];
    r.holds = ran.status == 0 && cells[2] == "holds";
  } else {
    r.failure = fmt::format("tools/{} ended with {} and no result", name, ran.status);
  }
  return r;
}

CheckResult check_fuzz(const CheckOptions& o) {
  const std::string seed = std::to_string(o.seed);
  if (o.full) return run_script(o, "fuzz.sh", {"--runs", "10000000", "--seed", seed});
  return run_script(o, "fuzz.sh", {"--seconds", "10", "--seed", seed});
}

std::vector<std::string> size_of(const CheckOptions& o) {
  return o.full ? std::vector<std::string>{"--full"} : std::vector<std::string>{};
}
CheckResult check_sanitizers(const CheckOptions& o) { return run_script(o, "sanitizers.sh", size_of(o)); }
CheckResult check_coverage(const CheckOptions& o) { return run_script(o, "coverage.sh", size_of(o)); }
CheckResult check_flakiness(const CheckOptions& o) { return run_script(o, "flaky.sh", size_of(o)); }

const CheckRegistration fuzz(
    {.figure = "R11",
     .name = "fuzz",
     .help = "hostile input of every parser is refused in words: no crash, leak, hang or flood",
     .run = check_fuzz,
     .own_build = true});
const CheckRegistration sanitizers({.figure = "R18",
                                    .name = "sanitizers",
                                    .help = "nothing is reported by the address, undefined, thread and memory checkers",
                                    .run = check_sanitizers,
                                    .own_build = true});
const CheckRegistration coverage({.figure = "R25",
                                  .name = "coverage",
                                  .help = "tests take the branches of parsers, store, loop and objectives both ways",
                                  .run = check_coverage,
                                  .own_build = true});
const CheckRegistration flakiness({.figure = "R28",
                                   .name = "flakiness",
                                   .help = "tests pass in any order, again and again",
                                   .run = check_flakiness,
                                   .own_build = true});

}  // namespace
}  // namespace plumb::lab
