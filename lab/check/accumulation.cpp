// How an optimiser batch is cut must not change a bit.
#include <fmt/format.h>

#include "core/random.h"
#include "lab/check/check.h"
#include "lab/check/small_run.h"

namespace plumb::lab {
namespace {

CheckResult check_accumulation(const CheckOptions& o) {
  Cases cases(o, "ways to cut a batch");
  std::int64_t number = 0;
  for (const bool tied : {false, true})
    for (const bool checkpointed : {false, true}) {
      RunConfig c = small_config();
      c.model.tied_head = tied;
      c.train.checkpoint_activations = checkpointed;
      const std::int64_t steps = o.full ? 60 : 5;
      const std::string expected = outcome_of(c, steps);
      for (const std::int64_t micro : {4, 3, 2, 1}) {
        c.train.micro_batch = micro;
        cases.note(number++, outcome_of(c, steps) == expected,
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
    for (std::size_t i = 0; i < whole.arena().slots().size(); ++i) {
      const auto &a = whole.arena().slots()[i], &b = alone.arena().slots()[i];
      cases.note(number++, same_bits(whole.arena().grad(a), alone.arena().grad(b)),
                 fmt::format("ragged rows, {}: the gradient of {} differs", cut ? "cut to length" : "padded",
                             a.parameter->name));
    }
  }
  return cases.result();
}

const CheckRegistration registered({.figure = "R4",
                                    .name = "accumulation",
                                    .help = "8 rows = 4 + 4 = 8 x 1, ragged lengths included",
                                    .run = check_accumulation});

}  // namespace
}  // namespace plumb::lab
