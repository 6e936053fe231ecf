// How an optimiser batch is cut must not change a bit.
#include <fmt/format.h>

#include "core/random.h"
#include "lab/check/check.h"
#include "lab/check/numbers/variants.h"
#include "lab/check/small_run.h"
#include "nn/layers.h"

namespace plumb::lab {
namespace {

constexpr std::int64_t rows = 8;

// Counts cases as they come.
struct Tally {
  Cases& cases;
  std::int64_t next = 0;
  template <class Work>
  void note(const Work& passes, const std::string& what) {
    const std::int64_t mine = next++;
    if (cases.wants(mine)) cases.note(mine, passes(), what);
  }
};

// Steps of whole batches, against the same in micro-batches, with activations kept or computed again.
void cut_batches(Tally& tally, const Variant& variant, bool full) {
  const std::int64_t steps = full ? 5 : 2;
  RunConfig c = variant.config;
  std::string expected;
  for (const bool checkpointed : {false, true})
    for (const std::int64_t micro : full           ? std::vector<std::int64_t>{4, 3, 2, 1}
                                    : checkpointed ? std::vector<std::int64_t>{3}
                                                   : std::vector<std::int64_t>{3, 1})
      tally.note(
          [&] {
            if (expected.empty()) expected = outcome_of(variant.config, steps);
            c.train.micro_batch = micro;
            c.train.checkpoint_activations = checkpointed;
            return outcome_of(c, steps) == expected;
          },
          fmt::format("{}: micro-batches of {} differ from the whole{}", variant.name, micro,
                      checkpointed ? ", checkpointed" : ""));
}

// Rows of different lengths: what follows a row's end is masked, or cut off where the row stands alone.
class Ragged {
 public:
  explicit Ragged(const RunConfig& config) : trainer_(config), length_(config.model.context) {
    tokens_ = trainer_.data().batch(0, rows, length_);
    auto labels = tokens_.slice(1, 1, length_ + 1).contiguous().to_vector<std::int64_t>();
    for (std::int64_t b = 0; b < rows; ++b) {
      ends_.push_back(1 + static_cast<std::int64_t>(
                              Key(9).below(static_cast<std::uint64_t>(length_), static_cast<std::uint64_t>(b))));
      for (std::int64_t t = ends_.back(); t < length_; ++t) labels[static_cast<std::size_t>(b * length_ + t)] = -1;
    }
    labels_ = Tensor::from(labels, {rows, length_});
  }

  Tensor whole() {
    return gradient([&] { collect(0, rows, length_); });
  }
  Tensor alone(bool cut) {
    return gradient([&] {
      for (std::int64_t b = 0; b < rows; ++b) collect(b, b + 1, cut ? ends_[static_cast<std::size_t>(b)] : length_);
    });
  }

 private:
  template <class Work>
  Tensor gradient(const Work& work) {
    trainer_.arena().zero_grads();
    work();
    trainer_.arena().finish_grads();
    return trainer_.arena().grads().clone();
  }
  void collect(std::int64_t first, std::int64_t last, std::int64_t length) {
    const Tensor in = tokens_.slice(0, first, last).slice(1, 0, length).contiguous(),
                 out = labels_.slice(0, first, last).slice(1, 0, length).contiguous();
    std::vector<Root> roots;
    for (const auto& term : trainer_.config().loss(trainer_.model().token_logprobs(in, out), out).loss)
      roots.push_back(alignment::seeded(term, 100));
    backward(roots);
  }

  Trainer trainer_;
  std::int64_t length_;
  Tensor tokens_, labels_;
  std::vector<std::int64_t> ends_;
};

// Layers of several runs at once, [R, B, rows, width]: cut along B.
struct PackedLayers final : nn::Module {
  nn::Linear first{6, 10, {.bias = true, .runs = 3}}, second{10, 6, {.runs = 3}};
  nn::Norm norm{10, {.kind = nn::NormKind::layernorm, .bias = true, .runs = 3}};
  void members(nn::Members& m) override {
    m("first", first);
    m("norm", norm);
    m("second", second);
  }
};

Tensor packed_gradient(std::int64_t micro) {
  PackedLayers layers;
  nn::Arena arena(layers, Key(3));
  const Tensor x = Key(4).normal({3, rows, 5, 6});
  arena.zero_grads();
  for (std::int64_t b = 0; b < rows; b += micro)
    backward(sum(square(
        layers.second(layers.norm(gelu(layers.first(Var(x.slice(1, b, std::min(rows, b + micro)).contiguous()))))))));
  arena.finish_grads();
  return arena.grads().clone();
}

CheckResult check_accumulation(const CheckOptions& o) {
  Cases cases(o, "ways to cut a batch");
  Tally tally{cases};
  for (const Variant& variant : variants()) {
    cut_batches(tally, variant, o.full);
    for (const bool cut : o.full ? std::vector<bool>{false, true} : std::vector<bool>{true})
      tally.note(
          [&] {
            Ragged ragged(variant.config);
            const Tensor whole = ragged.whole();
            return same_bits(whole, ragged.alone(cut));
          },
          fmt::format("{}: gradients of ragged rows, {}, differ", variant.name, cut ? "cut to length" : "padded"));
  }
  for (const std::int64_t micro : {48, 7, 1})
    tally.note([&] { return outcome_of_mlp(3, micro) == outcome_of_mlp(3, 96); },
               fmt::format("mlp: micro-batches of {} differ from the whole", micro));
  for (const std::int64_t micro : {4, 3, 1})
    tally.note([&] { return same_bits(packed_gradient(rows), packed_gradient(micro)); },
               fmt::format("packed runs: micro-batches of {} differ from the whole", micro));
  return cases.result();
}

const CheckRegistration registered({.figure = "R4",
                                    .name = "accumulation",
                                    .help = "8 rows = 4 + 4 = 8 x 1, ragged lengths included, for each option",
                                    .run = check_accumulation});

}  // namespace
}  // namespace plumb::lab
