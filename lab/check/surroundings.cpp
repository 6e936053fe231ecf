// The same run in another folder, time zone, locale, for another user.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/files/atomic_file.h"
#include "core/random.h"
#include "lab/check/child.h"
#include "lab/check/same_run.h"
#include "lab/run/summary.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

// The command that trains in `folder`, shortly.
std::vector<std::string> training(const CheckOptions& o, const Workplace& work, const std::string& folder) {
  return {plumb_of(o),    "train", work.config(),         "--quiet", "--set",
          "run.steps=60", "--set", "checkpoint.every=20", "--out",   folder};
}

void train(const CheckOptions& o, const Workplace& work, const std::string& folder,
           const std::vector<std::string>& variables, const std::vector<std::string>& before = {}) {
  fs::create_directories(fs::path(folder).parent_path());
  std::vector<std::string> command = training(o, work, folder);
  command.insert(command.begin(), before.begin(), before.end());
  if (!finish(spawn(command, variables), 0))
    throw UserError("a run failed", "check", fmt::format("{}", fmt::join(command, " ")));
}

// Programs that keep the machine busy while they live.
class Load {
 public:
  explicit Load(int programs) {
    for (int i = 0; i < programs; ++i) children_.push_back(spawn({"/bin/sh", "-c", "while :; do :; done"}));
  }
  ~Load() {
    for (const pid_t child : children_) finish(child, 1e-9);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

 private:
  std::vector<pid_t> children_;
};

struct Surroundings {
  std::string folder = "run";
  std::vector<std::string> variables{}, before{};  // before: a command that runs ours
  int programs = 0;                                // that keep the machine busy
  std::string what{};
};

// The command that runs another as nobody; empty where that takes rights that we have not, or nobody cannot run plumb.
std::vector<std::string> as_nobody(const CheckOptions& o) {
  const std::vector<std::string> nobody{"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  std::vector<std::string> trial = nobody;
  trial.insert(trial.end(), {plumb_of(o), "--version"});
  return fs::exists(nobody[0]) && finish(spawn(trial), 0) ? nobody : std::vector<std::string>();
}

// Each kind of surroundings, and then draws of them all at once.
std::vector<Surroundings> variants(const CheckOptions& o) {
  const std::string folders[] = {"run", "a folder/whose name is long, with spaces/and \xc3\xa9", "a/b/c/d/e/f/g"};
  const std::vector<std::string> zones{"TZ=UTC", "TZ=Pacific/Kiritimati", "TZ=America/St_Johns"},
      locales{"LC_ALL=C", "LC_ALL=de_DE.UTF-8", "LC_ALL=tr_TR.UTF-8"},
      threads{"OMP_NUM_THREADS=1", "OMP_NUM_THREADS=2", "OMP_NUM_THREADS=5"};
  const std::vector<std::string> user{"HOME=/nowhere", "USER=nobody", "LOGNAME=nobody", "TMPDIR=/tmp"};
  std::vector<Surroundings> all{{.folder = folders[1], .what = "another folder"},
                                {.variables = {zones[1], locales[1]}, .what = "another time zone and locale"},
                                {.variables = user, .what = "another user's environment"},
                                {.variables = {threads[0]}, .programs = 2, .what = "one thread on a busy machine"}};
  if (const auto nobody = as_nobody(o); !nobody.empty()) all.push_back({.before = nobody, .what = "another user"});
  const Key key = Key(o.seed).at("surroundings");
  for (std::uint64_t i = 0; o.full && all.size() < 20; ++i) {
    const auto draw = [&](std::uint64_t k) { return static_cast<std::size_t>(key.at(i).below(3, k)); };
    Surroundings s{.folder = folders[draw(0)],
                   .variables = {zones[draw(1)], locales[draw(2)], threads[draw(3)]},
                   .programs = static_cast<int>(draw(4))};
    if (draw(5) == 0) s.variables.insert(s.variables.end(), user.begin(), user.end());
    s.what = fmt::format("folder \"{}\", {}, {} busy programs", s.folder, fmt::join(s.variables, " "), s.programs);
    all.push_back(s);
  }
  return all;
}

CheckResult check_surroundings(const CheckOptions& o) {
  Cases cases(o, "surroundings");
  const Workplace work(o);
  fs::permissions(work / ".", fs::perms::all);  // for another user
  const std::string plain = work / "plain";
  train(o, work, plain, {});
  std::int64_t number = 0;
  for (const auto& other : variants(o)) {
    const std::int64_t mine = number++;
    if (!cases.wants(mine)) continue;
    const std::string folder = work / fmt::format("{}/{}", mine, other.folder);
    fs::create_directories(fs::path(folder).parent_path());
    fs::permissions(fs::path(folder).parent_path(), fs::perms::all);
    const Load load(other.programs);
    train(o, work, folder, other.variables, other.before);
    const std::string difference = first_difference_of_runs(plain, folder);
    cases.note(mine, difference.empty(), fmt::format("{}: {}", other.what, difference));
  }
  return cases.result();
}

const CheckRegistration surroundings(
    {.figure = "R6",
     .name = "surroundings",
     .help = "the same bytes in another folder, time zone, locale, on a busy machine and for another user",
     .run = check_surroundings});

}  // namespace
}  // namespace plumb::lab
