// What is missing becomes jobs; what they leave becomes the tables and the report.
#include "lab/sweep/sweep.h"

#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/files/atomic_file.h"
#include "lab/config/read.h"
#include "lab/progress.h"
#include "lab/run/summary.h"
#include "lab/sweep/pool.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

// Held while the sweep lives; the system gives it back however it ends.
files::Fd lock_folder(const fs::path& folder) {
  const fs::path path = folder / "sweep.lock";
  files::Fd lock = files::open_file(path, O_RDWR | O_CREAT | O_CLOEXEC);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    throw UserError("another sweep is at work in this folder", folder.string(),
                    "wait for it, or give this one another folder with --out");
  return lock;
}

// What went wrong with a member, in its own words: its last error, without the hint below it.
std::string last_error(const fs::path& log) {
  const std::string text = fs::exists(log) ? files::read_text(log) : std::string();
  constexpr std::string_view start = "error: ";
  const auto at = text.rfind(start);
  if (at == std::string::npos) return {};
  return text.substr(at + start.size(), text.find('\n', at) - at - start.size());
}

class Sweep {
 public:
  Sweep(const SweepPlan& plan, const SweepRequest& request)
      : plan_(plan),
        request_(request),
        progress_({.steps = static_cast<std::int64_t>(plan.members.size()), .quiet = request.quiet, .label = "run"}) {}

  SweepOutcome run() {
    for (std::size_t i = 0; i < plan_.members.size(); ++i) {
      out_.results.push_back(result_of(plan_.members[i], run_folder(i).string()));
      if (out_.results[i].state != MemberState::done) todo_.push_back(i);
    }
    const std::size_t all = plan_.members.size();
    if (todo_.size() < all) progress_.note(fmt::format("{} of {} members are done already", all - todo_.size(), all));
    out_.interrupted = !run_pool(request_.jobs, {.next = [this](std::size_t& i, Job& job) { return next(i, job); },
                                                 .ended = [this](const JobEnd& end) { ended(end); },
                                                 .waiting = [this](std::size_t running) { show(running); }});
    show(0);
    progress_.finish();
    write_tables(plan_, out_.results, request_.folder);
    out_.report = write_sweep_report(plan_, out_.results, request_.folder, request_.config);
    return std::move(out_);
  }

 private:
  fs::path run_folder(std::size_t i) const { return fs::path(request_.folder) / "runs" / plan_.members[i].name; }
  fs::path log(std::size_t i) const { return fs::path(request_.folder) / "logs" / (plan_.members[i].name + ".txt"); }

  bool next(std::size_t& index, Job& job) {
    if (at_ == todo_.size() || !out_.stopped.empty()) return false;
    index = todo_[at_++];
    const SweepMember& m = plan_.members[index];
    const fs::path config = fs::path(request_.folder) / "configs" / (m.name + ".toml"), folder = run_folder(index);
    const bool begun = is_run(folder.string());
    if (!begun) files::write_atomically(config, resolved_toml(m.config));
    job.command = {request_.plumb.empty() ? fs::read_symlink("/proc/self/exe").string() : request_.plumb,
                   begun ? "resume" : "train", begun ? folder.string() : config.string()};
    const auto add = [&](std::initializer_list<std::string> words) { job.command.insert(job.command.end(), words); };
    if (!begun) add({"--out", folder.string()});
    add({"--quiet", "--no-report", "--threads", std::to_string(request_.threads), "--device", request_.device});
    for (const auto& plugin : request_.plugins) add({"--plugin", plugin});
    job.log = log(index).string();
    return true;
  }

  void ended(const JobEnd& end) {
    MemberResult& r = out_.results[end.job];
    const std::string& name = plan_.members[end.job].name;
    if (end.status == 0) {
      r = result_of(plan_.members[end.job], run_folder(end.job).string());
      if (r.state == MemberState::done) {
        std::error_code ignored;
        fs::remove(log(end.job), ignored);
        return;
      }
    }
    constexpr int interrupted = 130;
    if (end.status == interrupted) return;
    const std::string said = last_error(log(end.job));
    r.state = MemberState::failed;
    r.status = end.status > 128 ? fmt::format("ended by signal {}", end.status - 128)
               : said.empty()   ? fmt::format("failed with status {}", end.status)
                                : said;
    ++failed_;
    progress_.note(fmt::format("{} failed: {}", name, r.status));
    if (r.status.find(std::strerror(ENOSPC)) != std::string::npos) out_.stopped = r.status;
  }

  void show(std::size_t running) {
    const auto done = std::ranges::count(out_.results, MemberState::done, &MemberResult::state);
    progress_.update({.step = done, .note = fmt::format("{} running, {} failed", running, failed_)});
  }

  const SweepPlan& plan_;
  const SweepRequest& request_;
  Progress progress_;
  SweepOutcome out_;
  std::vector<std::size_t> todo_;
  std::size_t at_ = 0, failed_ = 0;
};

}  // namespace

SweepOutcome run_sweep(const SweepPlan& plan, const SweepRequest& request) {
  const fs::path folder = request.folder;
  for (const char* inside : {"configs", "runs", "logs"}) files::make_folders(folder / inside);
  const files::Fd lock = lock_folder(folder);
  files::write_atomically(folder / "sweep.toml", request.config);
  return Sweep(plan, request).run();
}

}  // namespace plumb::lab
