// The loop around the trainer.
#include "lab/run/run_loop.h"

#include <chrono>
#include <cmath>

#include "core/build_info.h"
#include "core/cpu/gemm.h"  // check: allow devices, the peak of this very CPU is what a step is held against
#include "core/cpu/isa.h"
#include "core/parallel.h"
#include "lab/config/read.h"
#include "lab/progress.h"
#include "lab/run/memory_estimate.h"
#include "lab/run/origin.h"
#include "lab/run/summary.h"
#include "lab/signals.h"
#include "lab/store/note.h"
#include "models/sampler.h"

namespace plumb::lab {

const char* name_of(Ending e) {
  const char* names[] = {"finished", "stopped early", "interrupted", "diverged"};
  return names[static_cast<int>(e)];
}

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

std::vector<store::MetricInfo> metric_infos() {
  return {
      {"loss", "nats/token", "cross-entropy of the training batch"},
      {"z_loss", "nats/token", "coefficient times mean (log Z - target)^2"},
      {"log_z", "nats", "mean log of the softmax's normaliser"},
      {"grad_norm", "", "global norm of the gradient before clipping"},
      {"learning_rate", "", "of this step"},
      {"num_tokens", "tokens", "trained on so far"},
      {"val_loss", "nats/token", "cross-entropy of the validation sequences"},
      {"max_attn_logit", "", "largest attention logit of the validation sequences, after scaling, before a softcap"},
      {"max_attn_logit_block0", "", "the same in the first block"}};
}

std::map<std::string, std::string> provenance(const RunRequest& r, const RunConfig& config, const std::string& data) {
  const BuildInfo& build = build_info();
  return {{"command", r.command},
          {"from", r.from},
          {"version", build.version},
          {"commit", build.source()},
          {"compiler", build.compiler + " " + build.flags},
          {"cpu", cpu::cpu_model()},
          {"isa", cpu::name_of(cpu::isa())},
          {"threads", std::to_string(num_threads())},
          {"device", to_string(r.device)},
          {"seed", std::to_string(config.run.seed)},
          {"data", data}};
}

DType product_dtype(Precision p) {
  return p == Precision::f64 ? DType::f64 : p == Precision::bf16 ? DType::bf16 : DType::f32;
}

// One life of the loop, from wherever the trainer stands to the end of the run or a signal.
class Loop {
 public:
  Loop(Trainer& trainer, store::RunStore& store, const RunRequest& request)
      : trainer_(trainer),
        store_(store),
        request_(request),
        o_(trainer.config().run),
        progress_({.steps = o_.steps, .first_step = trainer.steps_done(), .quiet = request.quiet}) {}

  RunOutcome run() {
    watch_signals();
    for (const auto& info : metric_infos()) store_.describe(info);  // again when resumed: a kill may have come before
    began_ = Clock::now();
    const std::int64_t first = trainer_.steps_done();
    while (trainer_.steps_done() < o_.steps && !stopped_early()) {
      if (stop_requested()) return end(Ending::interrupted);
      const StepResult r = trainer_.step();
      if (!r.finite) return diverged();
      const std::int64_t done = trainer_.steps_done();
      log(r, done);
      if (o_.eval_every > 0 && done % o_.eval_every == 0 && done < o_.steps) evaluate(done);
      const std::int64_t every = trainer_.config().checkpoint.every;
      if (every > 0 && done % every == 0 && done < o_.steps) save();
      const double speed = static_cast<double>((done - first) * r.tokens) / std::max(seconds_since(began_), 1e-9);
      progress_.update(
          {.step = done, .loss = r.loss, .tokens_per_second = speed, .share_of_peak = share_of_peak(speed)});
      if (done % o_.log_every == 0) store_.timing(done, std::vector<store::NamedValue>{{"tokens_per_second", speed}});
    }
    return end(trainer_.steps_done() < o_.steps ? Ending::early_stopped : Ending::finished);
  }

  // What earlier evaluations of a resumed run found, so that early stopping goes on where it stood.
  void remember(const store::JournalContent& rows) {
    const auto it = rows.metrics.find("val_loss");
    if (it == rows.metrics.end()) return;
    for (std::size_t i = 0; i < it->second.values.size(); ++i)
      note_validation(it->second.steps[i], it->second.values[i]);
  }

 private:
  void log(const StepResult& r, std::int64_t done) {
    if (done % o_.log_every != 0 && done != 1 && done != o_.steps) return;
    store_.metrics(done, std::vector<store::NamedValue>{{"loss", r.loss},
                                                        {"z_loss", r.z_loss},
                                                        {"log_z", r.log_z},
                                                        {"grad_norm", r.grad_norm},
                                                        {"learning_rate", r.lr},
                                                        {"num_tokens", static_cast<double>(done * r.tokens)}});
  }

  // Executed products over what the same threads reach in a large one. Runs of a second are not made to wait for the
  // measurement, a twentieth of a second that counts as none of the run's; NaN until then, and on a GPU.
  double share_of_peak(double tokens_per_second) {
    if (std::isnan(peak_flops_) && !request_.quiet && request_.device == cpu_device && seconds_since(began_) > 1) {
      const auto before = Clock::now();
      peak_flops_ = 1e9 * cpu::measure_peak_gflops(product_dtype(trainer_.config().train.precision), num_threads());
      began_ += Clock::now() - before;
    }
    return tokens_per_second * trainer_.train_flops_per_token() / peak_flops_;
  }

  double evaluate(std::int64_t done) {
    if (evaluated_at_ == done) return last_;
    AttentionPeaks peaks;
    const double loss = trainer_.evaluate(&peaks);
    store_.metrics(done, std::vector<store::NamedValue>{{"val_loss", loss},
                                                        {"max_attn_logit", peaks.all_blocks},
                                                        {"max_attn_logit_block0", peaks.first_block}});
    progress_.note(fmt::format("step {}: val_loss {:.4f}", done, loss));
    note_validation(done, loss);
    return loss;
  }

  void note_validation(std::int64_t step, double loss) {
    evaluated_at_ = step;
    last_ = loss;
    worse_ = loss < best_ ? 0 : worse_ + 1;
    best_ = std::min(best_, loss);
  }
  bool stopped_early() const { return o_.early_stop > 0 && worse_ >= o_.early_stop; }

  void save() {
    const auto& c = trainer_.config();
    store::Checkpoint checkpoint{.step = trainer_.steps_done(),
                                 .seed = c.run.seed,
                                 .config = store_.config(),
                                 .isa = cpu::name_of(cpu::isa()),
                                 .tensors = {}};
    for (const auto& t : trainer_.state()) checkpoint.tensors.push_back({t.name, t.value});
    store_.save(checkpoint,
                {.keep_last = static_cast<int>(c.checkpoint.keep_last), .keep_every = c.checkpoint.keep_every});
  }

  RunOutcome end(Ending ending) {
    RunOutcome out{.ending = ending,
                   .steps = trainer_.steps_done(),
                   .val_loss = 0,
                   .floor = {},
                   .sample = {},
                   .blame = {},
                   .warnings = {}};
    if (ending != Ending::interrupted) {
      out.val_loss = evaluate(trainer_.steps_done());
      if (!std::isfinite(out.val_loss))  // by the last update, which no step came to see
        return diverged(fmt::format("the validation loss is {}; ", out.val_loss));
      out.floor = trainer_.entropy_floor();
      if (request_.sample) out.sample = sample_text(trainer_, o_.sample_tokens);
      store_.event(
          trainer_.steps_done(),
          store::write_note(
              {.ending = name_of(ending), .sample = out.sample, .val_loss = out.val_loss, .entropy_floor = out.floor}));
    }
    save();
    store_.publish();
    progress_.finish();
    return out;
  }

  // A run whose loss is not finite is data: what happened is kept beside the last good state.
  RunOutcome diverged(const std::string& seen = {}) {
    RunOutcome out{.ending = Ending::diverged,
                   .steps = trainer_.steps_done(),
                   .val_loss = std::nan(""),
                   .floor = trainer_.entropy_floor(),
                   .sample = {},
                   .blame = seen + trainer_.blame(),
                   .warnings = {}};
    store_.event(out.steps, store::write_note({.ending = name_of(out.ending), .blame = out.blame}));
    store_.publish();
    progress_.finish();
    if (o_.on_divergence == OnDivergence::stop)
      throw UserError(
          "the run has diverged: " + out.blame, request_.folder,
          "lower schedule.lr, raise schedule.warmup, or set run.on_divergence = \"record\" to keep it as a result");
    return out;
  }

  Trainer& trainer_;
  store::RunStore& store_;
  const RunRequest& request_;
  const RunOptions o_;
  Progress progress_;
  Clock::time_point began_;
  double peak_flops_ = std::nan("");
  double best_ = INFINITY, last_ = 0;
  std::int64_t worse_ = 0, evaluated_at_ = -1;
};

// The outcome that a finished run wrote down, if it is one.
std::optional<RunOutcome> ended(const store::JournalContent& rows) {
  if (rows.events.empty()) return {};
  const auto note = store::read_note(rows.events.back().json);
  if (!note || !note->val_loss) return {};
  RunOutcome out;
  out.ending = note->ending == name_of(Ending::early_stopped) ? Ending::early_stopped : Ending::finished;
  out.steps = rows.events.back().step;
  out.val_loss = *note->val_loss;
  out.floor = note->entropy_floor;
  out.sample = note->sample;
  return out;
}

}  // namespace

namespace {

RunConfig parsed(const std::string& text, const std::string& name) {
  RunConfig c;
  read(parse_toml(text, name), c);
  return c;
}

// Memory of the host; what a GPU has is asked of its driver, allocation by allocation.
void check_memory(const RunConfig& config, const RunRequest& request, Beginning beginning) {
  if (request.check_memory && request.device == cpu_device) require_memory(config, beginning);
}

}  // namespace

RunOutcome start_run(const RunConfig& config, const RunRequest& request) {
  check_memory(config, request, request.from.empty() ? Beginning::fresh : Beginning::from_parameters);
  Trainer trainer(config, (std::filesystem::path(request.folder) / "cache").string(), request.device);
  std::optional<Origin> origin;
  if (!request.from.empty()) trainer.load_parameters((origin = read_origin(request.from))->parameters);
  auto store = store::RunStore::create(request.folder, resolved_toml(config),
                                       provenance(request, config, trainer.data().digest()));
  keep_origin(request.folder, origin);
  RunOutcome out = Loop(trainer, store, request).run();
  if (origin) out.warnings = origin->warnings;
  return out;
}

RunConfig config_of_run(const std::string& folder) {
  return parsed(store::read_run(folder).config, folder + "/config.toml");
}

RunOutcome resume_run(const RunRequest& request, const std::optional<RunConfig>& expected) {
  if (expected)  // before the journal is touched
    if (const auto d = config_difference(config_of_run(request.folder), *expected); !d.empty())
      throw UserError(fmt::format("the run was started with another configuration: {} (its own | given){}", d[0],
                                  d.size() > 1 ? fmt::format(", and {} more keys differ", d.size() - 1) : ""),
                      request.folder, "`plumb resume RUN` takes the run's own; start a new run for another one");
  check_memory(config_of_run(request.folder), request, Beginning::resumed);
  store::Resumption how;
  auto store = store::RunStore::resume(request.folder, how);
  const RunConfig config = parsed(store.config(), request.folder + "/config.toml");
  if (const auto done = ended(store::read_run(request.folder).rows)) {
    store.publish();
    return *done;
  }
  Trainer trainer(config, (std::filesystem::path(request.folder) / "cache").string(), request.device);
  if (how.checkpoint) {
    std::vector<optim::NamedTensor> state;
    for (const auto& t : how.checkpoint->tensors) state.push_back({t.name, t.value});
    trainer.restore(state, how.checkpoint->step);
    if (how.checkpoint->isa != cpu::name_of(cpu::isa()))
      how.warnings.push_back(fmt::format("the checkpoint was made with {}, this process runs {}: the bits will differ",
                                         how.checkpoint->isa, cpu::name_of(cpu::isa())));
  } else if (const auto origin = kept_origin(request.folder)) {
    trainer.load_parameters(*origin);
  }
  Loop loop(trainer, store, request);
  loop.remember(store::read_run(request.folder).rows);
  RunOutcome out = loop.run();
  out.warnings = how.warnings;
  return out;
}

std::string digest_of(Trainer& trainer) {
  std::vector<files::NamedTensor> all;
  for (const auto& t : trainer.state()) all.push_back({t.name, t.value});
  return files::digest(all);
}

std::string sample_text(Trainer& trainer, std::int64_t tokens) {
  if (tokens == 0) return {};
  const std::int64_t context = trainer.config().model.context;
  const auto first = trainer.data().validation(1, context).to_vector<std::int64_t>();
  const std::size_t given =
      static_cast<std::size_t>(std::max<std::int64_t>(1, std::min<std::int64_t>(context / 4, 32)));
  const std::vector<std::int64_t> prompt(first.begin(),
                                         first.begin() + static_cast<std::ptrdiff_t>(std::min(given, first.size())));
  const auto out =
      models::sample(trainer.model(), {prompt}, {.temperature = 0.8, .max_tokens = tokens, .stop_tokens = {}},
                     Key(static_cast<std::uint64_t>(trainer.config().run.seed)).at("sample"));
  std::vector<std::int64_t> all = prompt;
  all.insert(all.end(), out[0].tokens.begin(), out[0].tokens.end());
  return trainer.data().decode(all);
}

}  // namespace plumb::lab
