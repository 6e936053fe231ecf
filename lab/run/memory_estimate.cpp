// The dry run of a run, what it asked for by part, and what to do when there is less.
#include "lab/run/memory_estimate.h"

#include <algorithm>

#include "core/dry/backend.h"
#include "core/parallel.h"
#include "core/storage.h"
#include "lab/run/available_memory.h"
#include "lab/run/run_loop.h"

namespace plumb::lab {
namespace {

// Tokens of no value, on the dry device like everything else.
class BlankData final : public TokenData {
 public:
  explicit BlankData(std::int64_t vocab) : vocab_(vocab) {}
  std::int64_t vocab() const override { return vocab_; }
  Tensor batch(std::int64_t, std::int64_t rows, std::int64_t T) const override { return blank(rows, T + 1); }
  Tensor validation(std::int64_t rows, std::int64_t T) const override { return blank(rows, T + 1); }
  std::string decode(std::span<const std::int64_t>) const override { return {}; }
  std::vector<std::int64_t> encode(std::string_view) const override { return {}; }
  std::string describe() const override { return "blank"; }
  std::string digest() const override { return {}; }

  static Tensor blank(std::int64_t rows, std::int64_t columns) {
    return Tensor::empty({rows, columns}, DType::i64, dry_device, "tokens");
  }

 private:
  std::int64_t vocab_;
};

std::int64_t rows_at_once(const RunConfig& c) {
  const std::int64_t leaf = c.train.batch / c.train.leaves;
  return c.train.micro_batch > 0 ? std::min(c.train.micro_batch, leaf) : leaf;
}

// The configuration with what costs time but no memory left out: all but a few micro-batches and samples.
RunConfig shortened(RunConfig c) {
  const std::int64_t leaf = c.train.batch / c.train.leaves, piece = rows_at_once(c);
  if (c.train.micro_batch > 0 && leaf > 2 * piece) c.train.batch = c.train.leaves * (2 * piece + leaf % piece);
  c.run.eval_rows = std::min(c.run.eval_rows, 2 * std::max(piece, c.train.batch));
  c.run.sample_tokens = std::min<std::int64_t>(c.run.sample_tokens, 2);
  return c;
}

// Blocks that another model left for reuse would stand in for those of this one; its own go whatever happens.
struct OwnBlocks {
  OwnBlocks() { release_cached_memory(dry_device); }
  ~OwnBlocks() { release_cached_memory(dry_device); }
};

double in_use() { return static_cast<double>(memory_stats(dry_device).in_use); }
double peak() { return static_cast<double>(memory_stats(dry_device).peak); }

// Tensors that live as long as the run, by the name of their group.
struct Standing {
  double parameters = 0, gradients = 0, moments = 0, others = 0;
  double state() const { return parameters + moments + others; }  // what a checkpoint holds
};

Standing standing_of(Trainer& trainer) {
  Standing s;
  for (const auto& t : trainer.state()) {
    const auto bytes = static_cast<double>(t.value.numel()) * static_cast<double>(size_of(t.value.dtype()));
    (t.name.starts_with("params/") ? s.parameters : t.name.starts_with("optim/") ? s.moments : s.others) += bytes;
  }
  const Tensor grads = trainer.arena().grads();
  s.gradients = static_cast<double>(grads.numel()) * static_cast<double>(size_of(grads.dtype()));
  return s;
}

// What one forward pass of a micro-batch leaves in memory for the backward pass.
double kept_for_backward(Trainer& trainer, std::int64_t rows) {
  const Tensor tokens = BlankData::blank(rows, trainer.config().model.context);
  const double before = in_use();
  const Var out = trainer.model().token_logprobs(
      tokens, tokens, {.training = true, .checkpoint_activations = trainer.config().train.checkpoint_activations});
  return in_use() - before;
}

// What the process takes beside: libraries are read from the disk as they are used, each thread has a stack and panels
// of the matrices it multiplies, and files are written through buffers.
double growth_of_program() { return 6.0 * (1 << 20) + 1.5 * (1 << 20) * num_threads(); }

MemoryEstimate measure(const RunConfig& config, Beginning beginning) {
  const RunConfig c = shortened(config);
  const double base = in_use();
  dry::reset_kernel_scratch();
  reset_peak_memory(dry_device);
  Trainer trainer(std::make_unique<BlankData>(config.data.vocab()), c, dry_device);
  const Standing standing = standing_of(trainer);
  trainer.step();
  const double stepped = in_use() - base;
  const double activations = kept_for_backward(trainer, c.model.dropout > 0 ? 1 : rows_at_once(c));
  trainer.step();  // the accumulators of the first are there from its beginning
  MemoryEstimate e;
  e.tensors = peak() - base;
  trainer.evaluate();
  sample_text(trainer, c.run.sample_tokens);
  const double most = peak() - base, held = static_cast<double>(memory_stats(dry_device).held) - base;
  e.program = resident_memory();
  const double read = beginning == Beginning::fresh             ? 0
                      : beginning == Beginning::from_parameters ? standing.parameters
                                                                : standing.state();
  e.parts = {{"parameters", standing.parameters},
             {"gradients", standing.gradients},
             {"moments of the optimiser", standing.moments},
             {"averaged parameters and other state", standing.others},
             {"accumulators, copies for products, sequences", stepped - standing.state() - standing.gradients},
             {"activations kept for backward", activations},
             {"backward pass and update", e.tensors - stepped - activations},
             {"evaluation and sample, where they need more", most - e.tensors},
             {"blocks of other sizes kept for reuse", held - most},
             {"scratch of kernels", static_cast<double>(dry::kernel_scratch())},
             {"tables of the data", config.data.memory()},
             {"a checkpoint being written", standing.state()},
             {"the checkpoint that was read", read},
             {"program and libraries", e.program + growth_of_program()}};
  std::erase_if(e.parts, [](const MemoryPart& p) { return p.bytes == 0; });
  return e;
}

double needed(const RunConfig& config, Beginning beginning) {
  const MemoryEstimate e = estimate_memory(config, beginning);
  return e.total() - e.program;
}

// The smallest change that makes it fit: fewer sequences at once, which changes no bit, then recomputation, then both.
std::string way_out(RunConfig c, Beginning beginning, double available) {
  for (const bool recompute : {c.train.checkpoint_activations, true}) {
    c.train.checkpoint_activations = recompute;
    for (std::int64_t rows = rows_at_once(c); rows >= 1; rows /= 2) {
      c.train.micro_batch = rows;
      if (const double need = needed(c, beginning); need <= available)
        return fmt::format("set train.micro_batch = {}{}: the same bits in {}", rows,
                           recompute ? " and train.checkpoint_activations = true" : "", bytes_text(need));
    }
    c.train.micro_batch = 0;
  }
  c.train.micro_batch = 1;
  return fmt::format(
      "even one sequence at a time with train.checkpoint_activations = true needs {}: choose a smaller model.width, "
      "model.layers or model.context",
      bytes_text(needed(c, beginning)));
}

}  // namespace

double MemoryEstimate::total() const {
  double sum = 0;
  for (const auto& p : parts) sum += p.bytes;
  return sum;
}

MemoryEstimate estimate_memory(const RunConfig& config, Beginning beginning) {
  const OwnBlocks only;
  return measure(config, beginning);
}

void require_memory(const RunConfig& config, Beginning beginning) {
  const AvailableMemory there = available_memory();
  require_memory(config, beginning, there.bytes, there.limit);
}

void require_memory(const RunConfig& config, Beginning beginning, double available, const std::string& limit) {
  const double need = needed(config, beginning);
  if (need <= available) return;
  throw UserError(
      fmt::format("the run needs about {} of memory, and {} leaves {}", bytes_text(need), limit, bytes_text(available)),
      "", way_out(config, beginning, available));
}

std::string bytes_text(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  for (; bytes >= 1023.95 && unit + 1 < std::size(units); ++unit) bytes /= 1024;
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

}  // namespace plumb::lab
