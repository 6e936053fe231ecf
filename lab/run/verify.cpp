// plumb verify: the same configuration again, held against the journal and the checkpoints that are left.
#include "lab/run/verify.h"

#include <algorithm>
#include <bit>

#include "lab/progress.h"
#include "lab/run/origin.h"
#include "lab/run/run_loop.h"
#include "lab/run/summary.h"
#include "lab/signals.h"

namespace plumb::lab {
namespace {

bool same_double(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

// The value a series has at a step, if it has one.
const double* at_step(const store::JournalContent& rows, const std::string& name, std::int64_t step) {
  const auto it = rows.metrics.find(name);
  if (it == rows.metrics.end()) return nullptr;
  const auto& s = it->second;
  const auto found = std::lower_bound(s.steps.begin(), s.steps.end(), step);
  if (found == s.steps.end() || *found != step) return nullptr;
  return &s.values[static_cast<std::size_t>(found - s.steps.begin())];
}

}  // namespace

Verdict verify_run(const std::string& folder, bool quiet, Device device) {
  const store::RunContent run = store::read_run(folder);
  const RunConfig config = config_of_run(folder);
  Trainer trainer(config, {}, device);
  if (const auto origin = kept_origin(folder)) trainer.load_parameters(*origin);
  const store::CheckpointFolder checkpoints(store::Path(folder) / "ckpt");
  const auto kept = checkpoints.steps();
  const std::int64_t last = std::max(run.rows.last_step, kept.empty() ? std::int64_t{0} : kept.back());
  Progress progress({.steps = last, .quiet = quiet});
  Verdict v;
  const auto metric = [&](const char* name, double value) {
    const double* was = at_step(run.rows, name, v.steps);
    if (!was) return true;
    ++v.compared_rows;
    if (same_double(*was, value)) return true;
    v.difference = fmt::format("step {}: {} was {:.17g}, is {:.17g}", v.steps, name, *was, value);
    return false;
  };
  while (v.steps < last) {
    if (stop_requested()) throw Interrupted();
    const StepResult r = trainer.step();
    if (!r.finite) break;  // a diverged run ends where it ended
    v.steps = trainer.steps_done();
    progress.update({.step = v.steps, .loss = r.loss});
    if (!metric("loss", r.loss) || !metric("grad_norm", r.grad_norm) || !metric("log_z", r.log_z) ||
        !metric("z_loss", r.z_loss))
      return v;
    if (at_step(run.rows, "val_loss", v.steps) && !metric("val_loss", trainer.evaluate())) return v;
    if (std::find(kept.begin(), kept.end(), v.steps) == kept.end()) continue;
    std::vector<files::NamedTensor> now;
    for (const auto& t : trainer.state()) now.push_back({t.name, t.value});
    const auto was = store::load_checkpoint(checkpoints.path_of(v.steps)).tensors;
    if (const std::string d = first_difference(was, now); !d.empty()) {
      v.difference = fmt::format("step {}: {}", v.steps, d);
      return v;
    }
    ++v.compared_checkpoints;
  }
  v.equal = true;
  return v;
}

}  // namespace plumb::lab
