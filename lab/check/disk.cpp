// The disk refuses: the n-th call of each kind on files fails, once or for good, while a checkpoint is saved or a whole
// run is made. The work goes on or stops with the reason, and what was good before is good still.
#include <fmt/format.h>
#include <sys/mount.h>

#include "lab/check/child.h"
#include "lab/check/same_run.h"
#include "lab/check/small_run.h"
#include "lab/run/run_loop.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;
using files::Fault;

struct Attempt {
  bool met = false;      // the fault was there to be met
  bool stopped = false;  // and the work stopped
  std::string wrong{};   // without naming a reason; later, whatever else is not as promised
};

template <class F>
Attempt under(const Fault& fault, F&& work) {
  Attempt a;
  files::set_fault(fault);
  try {
    work();
  } catch (const UserError& e) {
    a.stopped = true;
    if (e.where().empty() || e.message().empty()) a.wrong = fmt::format("the reason names no file: {}", e.what());
  }
  a.met = files::calls(fault.op) >= fault.nth;
  files::set_fault({});
  return a;
}

class Disk {
 public:
  explicit Disk(const CheckOptions& o) : work_(o) { start(calm()); }

  // One save into a run that has a good checkpoint.
  Attempt save(const Fault& fault) const {
    fs::remove_all(run());
    fs::copy(calm(), run(), fs::copy_options::recursive);
    fs::remove(run() / "ckpt/000004.h5");
    store::Resumption how;
    auto store = store::RunStore::resume(run(), how);
    store::Checkpoint checkpoint = *how.checkpoint;
    checkpoint.step = 4;
    const auto save_and_publish = [&] {
      store.metrics(4, std::vector<store::NamedValue>{{"loss", 1.0}});
      store.save(checkpoint, {.keep_last = 1});
      store.publish();
    };
    Attempt a = under(fault, save_and_publish);
    if (a.wrong.empty()) a.wrong = store::read_run(run()).damage;
    const auto found = store::CheckpointFolder(run() / "ckpt").newest();  // removes temporaries, as any restart
    if (!found.checkpoint || !found.damaged.empty()) a.wrong = "the last good checkpoint does not load";
    else if (found.checkpoint->step == 2 && !a.stopped) a.wrong = "the save was lost without a word";
    save_and_publish();  // the same process goes on when the disk does
    if (a.wrong.empty()) a.wrong = temporary_in(run());
    return a;
  }

  // A whole run, and its restart where it stopped.
  Attempt whole_run(const Fault& fault) const {
    fs::remove_all(run());
    Attempt a = under(fault, [&] { start(run()); });
    if (a.stopped && a.wrong.empty()) a.wrong = go_on(run());
    if (a.wrong.empty()) a.wrong = temporary_in(run());
    if (a.wrong.empty()) a.wrong = first_difference_of_runs(calm(), run());
    return a;
  }

  // A disk of so many bytes fills up, is made larger, and the run goes on. Nothing where disks cannot be mounted.
  std::optional<std::string> full_disk(std::int64_t bytes) const {
    const fs::path disk = work_ / "disk", there = disk / "run";
    fs::create_directories(disk);
    if (mount("tmpfs", disk.c_str(), "tmpfs", 0, fmt::format("size={}", bytes).c_str()) != 0) return {};
    std::string wrong = "nothing filled the disk";
    try {
      start(there);
    } catch (const UserError& e) {
      const bool said = std::string_view(e.what()).find("No space left on device") != std::string_view::npos;
      wrong = said ? temporary_in(disk) : fmt::format("the reason is another: {}", e.what());
    }
    if (wrong.empty() && mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m") == 0) {
      wrong = go_on(there);
      if (wrong.empty()) wrong = first_difference_of_runs(calm(), there);
    }
    umount2(disk.c_str(), MNT_DETACH);
    return wrong;
  }

 private:
  fs::path calm() const { return work_ / "calm"; }
  fs::path run() const { return work_ / "run"; }
  static void start(const fs::path& folder) { start_quietly(smallest_config(), folder.string()); }
  // Resumes, or starts where there is no run yet. Empty, or why a checkpoint was not good.
  static std::string go_on(const fs::path& folder) {
    const auto found = store::CheckpointFolder(folder / "ckpt").newest();
    if (!found.damaged.empty()) return found.damaged[0];
    go_on_quietly(smallest_config(), folder.string());
    return {};
  }

  Workplace work_;
};

// n = 1, 2, 3 ... until there are no more calls.
template <class F>
void loop(Cases& cases, std::int64_t& number, const char* name, F&& attempt) {
  for (const files::Op op : files::all_ops) {
    for (const auto kind : {Fault::Kind::once, Fault::Kind::always}) {
      bool met = true;
      for (Fault fault{op, 1, kind}; met; ++fault.nth, ++number) {
        const Attempt a = attempt(fault);
        met = a.met;
        cases.note(number, a.wrong.empty(), fmt::format("{}, {}: {}", name, to_string(fault), a.wrong));
      }
    }
  }
}

CheckResult check_disk(const CheckOptions& o) {
  Cases cases(o, "failing calls");
  const Disk disk(o);
  std::int64_t number = 0;
  loop(cases, number, "saving", [&](const Fault& f) { return disk.save(f); });
  if (o.full) loop(cases, number, "a run", [&](const Fault& f) { return disk.whole_run(f); });
  bool mounted = true;
  for (std::int64_t bytes = 4096; mounted && bytes <= (o.full ? 65536 : 32768); bytes += o.full ? 4096 : 14336) {
    const auto wrong = disk.full_disk(bytes);
    mounted = wrong.has_value();
    if (mounted) cases.note(number++, wrong->empty(), fmt::format("a disk of {} bytes: {}", bytes, *wrong));
  }
  CheckResult r = cases.result();
  r.unit += mounted ? ", and full disks" : "; no right to mount one";
  return r;
}

const CheckRegistration registered(
    {.figure = "R13",
     .name = "disk",
     .help = "whichever call on a file fails, or the disk fills up, a run stops with the "
             "reason, its last checkpoint loads, and it goes on to the same bytes",
     .run = check_disk});

}  // namespace
}  // namespace plumb::lab
