// Kill and resume: a child process dies at a named point of its work or at any moment, perhaps again while it resumes;
// the run must come to the bytes of an undisturbed one.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <set>

#include "core/random.h"
#include "lab/check/child.h"
#include "lab/check/same_run.h"
#include "lab/check/small_run.h"
#include "lab/config/read.h"
#include "lab/run/run_loop.h"
#include "lab/run/summary.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;
using files::Fault;
using files::Op;

const std::vector<std::string> settings{"run.steps=40", "run.log_every=2", "run.eval_every=8", "checkpoint.every=6"};

// What a call works on: "journal", "checkpoint (temporary)", "run folder".
std::string thing_of(const files::Path& path) {
  std::string name = path.filename().string(), suffix;
  if (name.starts_with('.') && name.ends_with(".plumb-tmp")) {  // .NAME.PROCESS-SERIAL.plumb-tmp
    name = name.substr(1, name.size() - 1 - std::string(".plumb-tmp").size());
    name.resize(name.rfind('.'));
    suffix = " (temporary)";
  }
  if (name.starts_with("events.out.")) return "event file";
  if (name.ends_with(".h5") && name.find_first_not_of("0123456789") == name.size() - 3) name = "checkpoint";
  if (name == "ckpt") return "checkpoint folder";
  return name.find('.') == name.npos && name != "journal" && name != "checkpoint" ? "run folder" : name + suffix;
}

// The points of some work at which it can be killed, by name: "before rename of run.h5". Many have several faults.
std::map<std::string, std::vector<Fault>> points_of(const std::vector<files::Call>& calls) {
  std::map<std::string, std::vector<Fault>> points;
  std::map<Op, int> count;
  for (const auto& [op, path] : calls) {
    const int nth = ++count[op];
    for (const auto& [when, kind] :
         {std::pair("before", Fault::Kind::kill_before), std::pair("within", Fault::Kind::kill_within),
          std::pair("after", Fault::Kind::kill_after)}) {
      if (kind == Fault::Kind::kill_within && op != Op::write) continue;  // only a write has a middle
      points[fmt::format("{} {} of {}", when, name_of(op), thing_of(path))].push_back({op, nth, kind});
    }
  }
  return points;
}

// How one child dies.
struct Blow {
  std::optional<Fault> fault{};  // at this point
  std::string point{};           // its name
  double after = 0;              // or so many seconds after its start
};

class Hunt {
 public:
  explicit Hunt(const CheckOptions& o) : plumb_(plumb_of(o)), work_(o), key_(Key(o.seed).at("kill")) {
    const auto began = std::chrono::steady_clock::now();
    if (wait_for(spawn(train(calm())), 0) != 0)
      throw UserError("the undisturbed run failed", "check kill", fmt::format("{} train {}", plumb_, work_.config()));
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    read(load_config(work_.config(), settings), config_);
    starting_ = recorded([&] {
      start_quietly(config_, work_ / "recorded");
      write_report({work_ / "recorded"});
    });
    strike(train(hunted()), {.fault = Fault{Op::rename, 6, Fault::Kind::kill_after}});
    resuming_ = recorded([&] { go_on_quietly(config_, hunted()); });
    forget();
  }

  // Names of points; a case takes the next, so that all come in turn, spread over the cases.
  Blow blow_at_start(std::int64_t number, std::int64_t cases) const {
    if (number % 4 == 3) return {.after = seconds_ * drawn(number, 0)};
    const auto size = static_cast<std::int64_t>(starting_.size());
    return blow(starting_, cases < size ? number * size / cases : number - number / 4, drawn(number, 1));
  }
  Blow blow_at_resume(std::int64_t number, std::int64_t again) const {
    const double place = drawn(number, 10 + again) * static_cast<double>(resuming_.size());
    return blow(resuming_, static_cast<std::int64_t>(place), drawn(number, 20 + again));
  }
  double drawn(std::int64_t number, std::int64_t what) const {
    return key_.at(static_cast<std::uint64_t>(number)).uniform_at(static_cast<std::uint64_t>(what));
  }

  // Starts a run and kills it; then resumes it and kills that, as often as there are blows. Empty, or what went wrong.
  std::string endure(const std::vector<Blow>& blows) {
    forget();
    for (std::size_t i = 0; i < blows.size(); ++i) {
      const int ended = strike(exists() ? resume() : train(hunted()), blows[i]);
      if (ended != 0 && ended != -SIGKILL) return fmt::format("the child ended with exit code {}", ended);
      if (ended == 0 && i == 0 && blows[i].fault) return "the point was never reached";
      if (ended != 0 && blows[i].fault) hit_.insert(blows[i].point);
    }
    go_on_quietly(config_, hunted());
    if (const std::string left = temporary_in(hunted()); !left.empty()) return left + " was left behind";
    return first_difference_of_runs(calm(), hunted());
  }

  const std::set<std::string>& points_hit() const { return hit_; }
  std::size_t points() const { return starting_.size(); }

 private:
  using Points = std::map<std::string, std::vector<Fault>>;

  std::string calm() const { return work_ / "calm"; }
  std::string hunted() const { return work_ / "hunted"; }
  bool exists() const { return fs::exists(fs::path(hunted()) / "journal"); }
  void forget() const { fs::remove_all(hunted()); }

  std::vector<std::string> train(const std::string& folder) const {
    std::vector<std::string> words{plumb_, "train", work_.config(), "--quiet", "--threads", "1", "--out", folder};
    for (const auto& s : settings) words.insert(words.end(), {"--set", s});
    return words;
  }
  std::vector<std::string> resume() const { return {plumb_, "resume", hunted(), "--quiet", "--threads", "1"}; }

  static int strike(const std::vector<std::string>& command, const Blow& blow) {
    if (!blow.fault) return wait_for(spawn(command), blow.after);
    return wait_for(spawn(command, {"PLUMB_FAULT=" + to_string(*blow.fault)}), 0);
  }

  // The calls of work inside this process, where they can be seen.
  template <class F>
  static Points recorded(F&& work) {
    std::vector<files::Call> calls;
    files::record_calls(&calls);
    work();
    files::record_calls(nullptr);
    return points_of(calls);
  }

  static Blow blow(const Points& points, std::int64_t which, double draw) {
    const auto& [name, faults] = *std::next(points.begin(), which % static_cast<std::int64_t>(points.size()));
    return {.fault = faults[static_cast<std::size_t>(draw * static_cast<double>(faults.size()))], .point = name};
  }

  std::string plumb_;
  Workplace work_;
  Key key_;
  RunConfig config_;
  double seconds_ = 0;
  Points starting_, resuming_;
  std::set<std::string> hit_;
};

// Tries every case, and says which points were hit.
template <class F>
CheckResult try_all(const CheckOptions& o, std::int64_t count, const std::string& unit, F&& blows_of) {
  Hunt hunt(o);
  Cases cases(o, unit);
  for (std::int64_t i = 0; i < count; ++i) {
    if (!cases.wants(i)) continue;
    const std::vector<Blow> blows = blows_of(hunt, i);
    const std::string wrong = hunt.endure(blows);
    std::string how;
    for (const auto& b : blows)
      how += (how.empty() ? "" : ", then ") + (b.fault ? b.point : fmt::format("after {:.3f} s", b.after));
    cases.note(i, wrong.empty(), fmt::format("killed {}: {}", how, wrong));
  }
  CheckResult r = cases.result();
  r.unit += fmt::format(", at {} points", hunt.points_hit().size());
  r.details.assign(hunt.points_hit().begin(), hunt.points_hit().end());
  return r;
}

CheckResult check_kill(const CheckOptions& o) {
  const std::int64_t count = o.full ? 1000 : 20;
  return try_all(o, count, "kills survived",
                 [&](const Hunt& hunt, std::int64_t i) { return std::vector{hunt.blow_at_start(i, count)}; });
}

CheckResult check_kill_resume(const CheckOptions& o) {
  const std::int64_t count = o.full ? 200 : 5;
  return try_all(o, count, "runs killed again", [&](const Hunt& hunt, std::int64_t i) {
    std::vector<Blow> blows{hunt.blow_at_start(i, count)};
    const auto again = 1 + static_cast<std::int64_t>(3 * hunt.drawn(i, 2));
    for (std::int64_t k = 0; k < again; ++k) blows.push_back(hunt.blow_at_resume(i, k));
    return blows;
  });
}

const CheckRegistration kill(
    {.figure = "R1",
     .name = "kill",
     .help = "killed before, within or after any call on a file, or at any moment, and resumed, "
             "a run ends with the same bytes",
     .run = check_kill});
const CheckRegistration kill_resume({.figure = "R2",
                                     .name = "kill_resume",
                                     .help = "the same when it is killed again while resuming, up to three times",
                                     .run = check_kill_resume});

}  // namespace
}  // namespace plumb::lab
