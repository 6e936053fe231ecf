// The same run in another folder, time zone, locale, for another user.
#include <fmt/format.h>

#include <algorithm>

#include "core/files/atomic_file.h"
#include "lab/check/child.h"
#include "lab/run/summary.h"
#include "lab/store/run_store.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

// Bytes are promised for checkpoints and the configuration; run.h5 also records when and where it was made.
std::string first_difference_of_bytes(const fs::path& a, const fs::path& b) {
  std::vector<std::string> names{"config.toml"};
  for (const auto& entry : fs::directory_iterator(a / "ckpt"))
    names.push_back("ckpt/" + entry.path().filename().string());
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    if (!fs::exists(b / name)) return name + " is missing";
    if (files::read_text(a / name) != files::read_text(b / name)) return name + " has other bytes";
  }
  return store::read_run(a).digest() == store::read_run(b).digest() ? "" : "the logged values differ";
}

void train(const CheckOptions& o, const Workplace& work, const std::string& folder,
           const std::vector<std::string>& variables) {
  fs::create_directories(fs::path(folder).parent_path());
  if (!finish(spawn({plumb_of(o), "train", work.config(), "--quiet", "--set", "run.steps=60", "--set",
                     "checkpoint.every=20", "--out", folder},
                    variables),
              0))
    throw UserError("a run failed", "check", fmt::format("plumb train {}", work.config()));
}

CheckResult check_surroundings(const CheckOptions& o) {
  Cases cases(o, "surroundings");
  std::int64_t number = 0;
  const Workplace work(o);
  const std::string plain = work / "plain";
  train(o, work, plain, {});
  const struct {
    const char *what, *folder;
    std::vector<std::string> variables;
  } others[] = {
      {"another folder", "a folder/whose name is long, with spaces/and \xc3\xa9", {}},
      {"another time zone", "zone", {"TZ=Pacific/Kiritimati"}},
      {"another locale", "locale", {"LC_ALL=de_DE.UTF-8", "LANG=tr_TR.UTF-8"}},
      {"another user", "user", {"HOME=/nowhere", "USER=nobody", "LOGNAME=nobody", "TMPDIR=/tmp"}},
      {"one thread", "thread", {"OMP_NUM_THREADS=1"}},
  };
  for (const auto& other : others) {
    const std::string folder = work / other.folder;
    train(o, work, folder, other.variables);
    const std::string difference = first_difference_of_bytes(plain, folder);
    cases.note(number++, difference.empty(), fmt::format("{}: {}", other.what, difference));
  }
  return cases.result();
}

const CheckRegistration surroundings(
    {.figure = "R6",
     .name = "surroundings",
     .help = "the same bytes in another folder, time zone, locale and for another user",
     .run = check_surroundings});

}  // namespace
}  // namespace plumb::lab
