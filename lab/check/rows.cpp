// What a row stands beside must not change its bits.
#include <fmt/format.h>

#include "core/random.h"
#include "lab/check/check.h"
#include "lab/check/small_run.h"

namespace plumb::lab {
namespace {

CheckResult check_rows(const CheckOptions& o) {
  Cases cases(o, "rows");
  Trainer t(small_config());
  for (int i = 0; i < 3; ++i) t.step();
  const NoGrad off;
  const std::int64_t count = o.full ? 20000 : 200, length = 31;
  const Tensor tokens = t.data().batch(7, count, length);
  const Tensor in = tokens.slice(1, 0, length).contiguous(), out = tokens.slice(1, 1, length + 1).contiguous();
  const Tensor all = t.model().token_logprobs(in, out).value(), logits = t.model().logits(in).value();
  for (std::int64_t b = 0; b < count; ++b) {
    if (!cases.wants(b)) continue;
    const std::int64_t n = 1 + static_cast<std::int64_t>(Key(o.seed).below(static_cast<std::uint64_t>(length),
                                                                           static_cast<std::uint64_t>(b)));
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
    cases.note(b, same_bits(alone, there) && decoded,
               fmt::format("row {} of length {}: {}", b, n,
                           decoded ? "alone differs from the batch" : "decoding differs from the full pass"));
  }
  return cases.result();
}

const CheckRegistration registered(
    {.figure = "R5",
     .name = "rows",
     .help = "a row has the same bits alone, padded, in a batch, and decoded with a cache",
     .run = check_rows});

}  // namespace
}  // namespace plumb::lab
