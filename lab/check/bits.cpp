// Threads, accumulation, batches: what must not change a bit.
#include "core/parallel.h"
#include "lab/check/check.h"
#include "lab/run/run_loop.h"

namespace plumb::lab {
namespace {

// A run small enough to be done again and again, with every kind of operator a GPT has.
RunConfig small_config() {
  RunConfig c;
  c.run.steps = 60;
  c.run.eval_rows = 8;
  c.data.copy_language.length = 32;
  c.model.width = 32;
  c.model.layers = 2;
  c.model.heads = 4;
  c.model.kv_heads = 2;
  c.model.context = 31;
  c.model.qk_norm = nn::QkNorm::layernorm;
  c.model.bias = true;
  c.train.batch = 8;
  c.loss.z_loss = 1e-4;
  c.schedule.lr = 1e-2;
  return c;
}

// Digest of everything after some steps, metrics included.
std::string outcome_of(const RunConfig& config, std::int64_t steps) {
  Trainer t(config);
  std::string metrics;
  for (std::int64_t i = 0; i < steps; ++i) {
    const StepResult r = t.step();
    metrics += fmt::format("{:a} {:a} {:a} {:a};", r.loss, r.z_loss, r.log_z, r.grad_norm);
  }
  metrics += fmt::format("{:a}", t.evaluate());
  return digest_of(t) + files::digest(metrics);
}

void note(CheckResult& r, bool equal, const std::string& what) {
  ++r.tried;
  if (equal) ++r.passed;
  else if (r.failure.empty()) r.failure = what;
}

struct ThreadsKept {
  int before = num_threads();
  ~ThreadsKept() { set_num_threads(before); }
};

}  // namespace

CheckResult check_threads(const CheckOptions& o) {
  CheckResult r{.name = "threads", .unit = "thread counts and models", .failure = {}};
  const ThreadsKept kept;
  std::vector<RunConfig> configs{small_config()};
  configs.push_back(small_config());
  configs.back().model.width = 128;  // large enough for parallel loops in every kernel
  configs.back().model.heads = 4;
  configs.back().train.batch = 32;
  configs.push_back(configs.back());
  configs.back().optim.rule = optim::Rule::muon;
  configs.back().train.precision = Precision::bf16;
  configs.back().train.leaves = 2;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const std::int64_t steps = o.full || i == 0 ? 60 : 6;
    set_num_threads(1);
    const std::string expected = outcome_of(configs[i], steps);
    for (const int n : o.full ? std::vector<int>{2, 3, 4, 8, 16} : std::vector<int>{2, 3, 4, 8}) {
      set_num_threads(n);
      note(r, outcome_of(configs[i], steps) == expected, fmt::format("model {}: {} threads differ from one", i, n));
    }
  }
  return r;
}

CheckResult check_accumulation(const CheckOptions& o) {
  CheckResult r{.name = "accumulation", .unit = "ways to cut a batch", .failure = {}};
  for (const bool tied : {false, true})
    for (const bool checkpointed : {false, true}) {
      RunConfig c = small_config();
      c.model.tied_head = tied;
      c.train.checkpoint_activations = checkpointed;
      const std::int64_t steps = o.full ? 60 : 5;
      const std::string expected = outcome_of(c, steps);
      for (const std::int64_t micro : {4, 3, 2, 1}) {
        c.train.micro_batch = micro;
        note(r, outcome_of(c, steps) == expected,
             fmt::format("micro-batches of {} differ from the whole (tied {}, checkpointed {})", micro, tied,
                         checkpointed));
      }
    }
  // Ragged lengths: trailing positions of each row are masked, and each row may be cut to its own length.
  Trainer whole(small_config()), alone(small_config());
  const std::int64_t rows = 8, length = 31;
  const Tensor tokens = whole.data().batch(0, rows, length);
  std::vector<std::int64_t> labels = tokens.slice(1, 1, length + 1).contiguous().to_vector<std::int64_t>();
  std::vector<std::int64_t> lengths;
  for (std::int64_t b = 0; b < rows; ++b) {
    lengths.push_back(
        1 + static_cast<std::int64_t>(Key(9).below(static_cast<std::uint64_t>(length), static_cast<std::uint64_t>(b))));
    for (std::int64_t t = lengths.back(); t < length; ++t) labels[static_cast<std::size_t>(b * length + t)] = -1;
  }
  const Tensor y = Tensor::from(labels, {rows, length});
  const auto collect = [&](Trainer& t, std::int64_t b, std::int64_t e, std::int64_t n) {
    const Tensor in = tokens.slice(0, b, e).slice(1, 0, n).contiguous(),
                 out = y.slice(0, b, e).slice(1, 0, n).contiguous();
    const auto loss = t.config().loss(t.model().token_logprobs(in, out), out);
    std::vector<Root> roots;
    for (const auto& term : loss.loss) roots.push_back(alignment::seeded(term, 100));
    backward(roots);
  };
  whole.arena().zero_grads();
  collect(whole, 0, rows, length);
  whole.arena().finish_grads();
  for (const bool cut : {false, true}) {
    alone.arena().zero_grads();
    for (std::int64_t b = 0; b < rows; ++b)
      collect(alone, b, b + 1, cut ? lengths[static_cast<std::size_t>(b)] : length);
    alone.arena().finish_grads();
    std::vector<files::NamedTensor> a, b;
    for (const auto& s : whole.arena().slots()) a.push_back({s.parameter->name, whole.arena().grad(s)});
    for (const auto& s : alone.arena().slots()) b.push_back({s.parameter->name, alone.arena().grad(s)});
    for (std::size_t i = 0; i < a.size(); ++i)
      note(r, same_bits(a[i].value, b[i].value),
           fmt::format("ragged rows, {}: the gradient of {} differs", cut ? "cut to length" : "padded", a[i].name));
  }
  return r;
}

CheckResult check_rows(const CheckOptions& o) {
  CheckResult r{.name = "rows", .unit = "rows", .failure = {}};
  Trainer t(small_config());
  for (int i = 0; i < 3; ++i) t.step();
  const NoGrad off;
  const std::int64_t count = o.full ? 2000 : 40, length = 31;
  const Tensor tokens = t.data().batch(7, count, length);
  const Tensor in = tokens.slice(1, 0, length).contiguous(), out = tokens.slice(1, 1, length + 1).contiguous();
  const Tensor all = t.model().token_logprobs(in, out).value(), logits = t.model().logits(in).value();
  for (std::int64_t b = 0; b < count; ++b) {
    const std::int64_t n =
        1 + static_cast<std::int64_t>(Key(3).below(static_cast<std::uint64_t>(length), static_cast<std::uint64_t>(b)));
    const Tensor x = in.slice(0, b, b + 1).slice(1, 0, n).contiguous(),
                 y = out.slice(0, b, b + 1).slice(1, 0, n).contiguous();
    const Tensor alone = t.model().token_logprobs(x, y).value();
    const Tensor there = all.slice(1, b, b + 1).slice(2, 0, n).contiguous();
    auto cache = t.model().make_cache(1, length);
    const std::int64_t first = n / 2;  // read half at once, the rest token by token
    Tensor last;
    if (first) last = t.model().decode(x.slice(1, 0, first).contiguous(), cache);
    for (std::int64_t i = first; i < n; ++i) last = t.model().decode(x.slice(1, i, i + 1).contiguous(), cache);
    const bool decoded = same_bits(last, logits.slice(0, b, b + 1).select(1, n - 1).contiguous());
    note(r, same_bits(alone, there) && decoded,
         fmt::format("row {} of length {}: {}", b, n,
                     decoded ? "alone differs from the batch" : "decoding differs from the full pass"));
  }
  return r;
}

const std::vector<Check>& checks() {
  static const std::vector<Check> all{
      {"threads", "the same bits with 1, 2, 3, 4 and 8 threads", check_threads},
      {"accumulation", "8 rows = 4 + 4 = 8 x 1, ragged lengths included", check_accumulation},
      {"rows", "a row has the same bits alone, padded, in a batch, and decoded with a cache", check_rows},
      {"surroundings", "the same bytes in another folder, time zone, locale and for another user", check_surroundings},
      {"isa", "an f32 run has the same bits with AVX2 and with AVX-512", check_instruction_sets},
      {"kill", "killed at random moments and resumed, a run ends with the same bits", check_kill}};
  return all;
}

}  // namespace plumb::lab
