// Memory runs out: the n-th allocation fails while a run is configured, loaded, stepped, saved or made whole. It must end
// with an error in words, give everything back, and leave files that can be gone on with.
#include <fmt/format.h>

#include <functional>
#include <new>

#include "core/memory_faults.h"
#include "core/random.h"
#include "core/storage.h"
#include "lab/check/child.h"
#include "lab/check/same_run.h"
#include "lab/check/small_run.h"
#include "lab/config/read.h"
#include "lab/run/run_loop.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;
using store::CheckpointFolder;

// Work on so small a model that no loop is shared out between threads: the n-th allocation is always the same one.
class Work {
 public:
  explicit Work(const CheckOptions& o) : work_(o) {
    start_quietly(smallest_config(), work_ / "calm");
    fs::copy(work_ / "calm", work_ / "saved", fs::copy_options::recursive);
    checkpoint_ = *CheckpointFolder(work_ / "calm/ckpt").newest().checkpoint;
  }

  // Too little memory must not pass for a mistake of the user's.
  void configure() const {
    try {
      RunConfig config;
      read(load_config(work_.config(), {"optim.rule=sgd", "schedule.lr=1e-2"}), config);
    } catch (const UserError& e) {
      throw Bug(fmt::format("a good configuration is refused: {}", e.what()));
    }
  }

  void load() const {
    const auto found = CheckpointFolder(work_ / "calm/ckpt").newest();
    if (!found.checkpoint || found.checkpoint->step != checkpoint_.step) throw Bug("good checkpoints are passed over");
    Trainer trainer(smallest_config());
    std::vector<optim::NamedTensor> state;
    for (const auto& t : found.checkpoint->tensors) state.push_back({t.name, t.value});
    trainer.restore(state, found.checkpoint->step);
    store::read_run(work_ / "calm/run.h5");
  }

  void step() const {
    Trainer trainer(smallest_config());
    trainer.step();
    trainer.evaluate();
  }

  void save() const {
    store::Resumption how;
    auto run = store::RunStore::resume(work_ / "saved", how);
    run.metrics(checkpoint_.step, std::vector<store::NamedValue>{{"loss", 1.0}, {"new", 2.0}});
    run.save(checkpoint_);
    run.publish();
  }

  void forget_run() const { fs::remove_all(work_ / "run"); }
  void whole_run() const { start_quietly(smallest_config(), work_ / "run"); }

  // What lies there after a failure, empty when it is good.
  std::string files_after_save() const {
    const auto found = CheckpointFolder(work_ / "saved/ckpt").newest();
    if (!found.checkpoint || !found.damaged.empty()) return "a checkpoint is damaged";
    if (const std::string damage = store::read_run(work_ / "saved").damage; !damage.empty()) return damage;
    return temporary_in(work_ / "saved");
  }
  std::string files_after_run() const {
    go_on_quietly(smallest_config(), work_ / "run");
    return first_difference_of_runs(work_ / "calm", work_ / "run") + temporary_in(work_ / "run");
  }

 private:
  Workplace work_;
  store::Checkpoint checkpoint_;
};

struct Task {
  const char* name;
  std::function<void()> work;
  std::function<std::string()> files = [] { return std::string(); };
  std::function<void()> prepare = [] {};
};

// How many allocations the work makes when none fails.
std::int64_t count(const Task& task) {
  task.prepare();
  release_cached_memory();
  const memory::Watch watch;
  task.work();
  return watch.taken();
}

// Empty when the work ended well: done, or with an error in words, and everything given back.
std::string try_with(const Task& task, const memory::Fault& fault) {
  task.prepare();
  release_cached_memory();
  std::int64_t live = 0;
  std::string wrong;
  {
    const memory::Watch watch;
    memory::set_fault(fault);
    try {
      task.work();
      memory::set_fault({});
    } catch (const std::exception& e) {
      memory::set_fault({});
      const bool clean = dynamic_cast<const UserError*>(&e) || dynamic_cast<const std::bad_alloc*>(&e);
      if (!clean) wrong = fmt::format("it ended with \"{}\"", e.what());
    }
    release_cached_memory();
    live = watch.live();
  }
  if (!wrong.empty()) return wrong;
  if (live != 0) return fmt::format("{} allocations were not given back", live);
  try {
    return task.files();
  } catch (const UserError& e) {
    return e.what();
  }
}

CheckResult check_memory(const CheckOptions& o) {
  if (!memory::sees_operator_new()) return {.skipped = "this program's operator new cannot be made to fail"};
  Cases cases(o, "failed allocations");
  const Work work(o);
  const Task tasks[] = {
      {.name = "configure", .work = [&] { work.configure(); }},
      {.name = "load", .work = [&] { work.load(); }},
      {.name = "step", .work = [&] { work.step(); }},
      {.name = "save", .work = [&] { work.save(); }, .files = [&] { return work.files_after_save(); }},
      {.name = "run",
       .work = [&] { work.whole_run(); },
       .files = [&] { return work.files_after_run(); },
       .prepare = [&] { work.forget_run(); }}};
  std::int64_t number = 0;
  std::vector<std::string> details;
  for (const auto& task : tasks) {
    count(task);  // what is made once in a process is made now
    const std::int64_t allocations = count(task), all = 2 * allocations,
                       wanted = o.full ? all : std::min<std::int64_t>(all, 500 / std::ssize(tasks));
    for (std::int64_t i = 0; i < wanted; ++i, ++number) {
      if (!cases.wants(number)) continue;
      const std::int64_t which = i * all / wanted;
      const memory::Fault fault{.nth = 1 + which / 2, .always = which % 2 == 1};
      const std::string wrong = try_with(task, fault);
      cases.note(
          number, wrong.empty(),
          fmt::format("{}, allocation {} fails{}: {}", task.name, fault.nth, fault.always ? " for good" : "", wrong));
    }
    details.push_back(fmt::format("{}: {} allocations", task.name, allocations));
  }
  CheckResult result = cases.result();
  result.details = std::move(details);
  return result;
}

const CheckRegistration registered({.figure = "R14",
                                    .name = "memory",
                                    .help = "an allocation that fails ends the work with an error in words, without a "
                                            "leak and without a damaged file",
                                    .run = check_memory});

}  // namespace
}  // namespace plumb::lab
