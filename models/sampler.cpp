// Sampling: prompts are read in one pass as far as the shortest goes, then all rows step together.
#include "models/sampler.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "core/exact_math.h"

namespace plumb::models {

void SampleOptions::fields(Fields& f) {
  f("temperature", temperature).at_least(0).help("1 = the model's distribution, 0 = greedy");
  f("top_k", top_k).at_least(0).help("keep the k likeliest tokens; 0 = all");
  f("top_p", top_p).above(0).at_most(1).help("keep the likeliest tokens that hold this much probability");
  f("min_p", min_p).at_least(0).at_most(1).help("drop tokens less likely than this share of the likeliest");
  f("max_tokens", max_tokens).at_least(0).unit("tokens").help("longest completion");
}

std::vector<double> sampling_distribution(const std::vector<double>& logits, const SampleOptions& o) {
  const std::size_t v = logits.size();
  std::vector<double> p(v, 0);
  if (v == 0) return p;
  const bool numbers = std::none_of(logits.begin(), logits.end(), [](double z) { return std::isnan(z); });
  if (!numbers || !std::isfinite(*std::max_element(logits.begin(), logits.end())))
    throw UserError("the model's logits are not finite, so there is nothing to sample from", "sample",
                    "the run has diverged");
  const auto top = std::max_element(logits.begin(), logits.end());  // the first of the largest
  if (o.temperature == 0) {
    p[static_cast<std::size_t>(top - logits.begin())] = 1;
    return p;
  }
  double total = 0;
  for (std::size_t i = 0; i < v; ++i) total += p[i] = exact::exp((logits[i] - *top) / o.temperature);
  if (o.top_k == 0 && o.top_p == 1 && o.min_p == 0) {
    for (double& x : p) x /= total;
    return p;
  }
  std::vector<std::size_t> order(v);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  std::size_t keep = o.top_k > 0 ? std::min(v, static_cast<std::size_t>(o.top_k)) : v;
  double held = 0;
  for (std::size_t i = 0; i < keep; ++i) {
    if (i > 0 && (held >= o.top_p * total || p[order[i]] < o.min_p * p[order[0]])) keep = i;
    else held += p[order[i]];
  }
  for (std::size_t i = keep; i < v; ++i) p[order[i]] = 0;
  for (double& x : p) x /= held;
  return p;
}

namespace {

std::size_t draw(const std::vector<double>& p, double u) {
  double sum = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) continue;
    last = i;
    sum += p[i];
    if (u < sum) return i;
  }
  return last;
}

struct Row {
  std::vector<std::int64_t> text;  // prompt and completion
  std::size_t read = 0;            // tokens of text that are in the cache
  Completion completion;
  bool done = false;
};

Tensor next_tokens(const std::vector<Row>& rows, std::size_t count) {
  std::vector<std::int64_t> flat;
  for (const Row& r : rows)
    for (std::size_t i = 0; i < count; ++i)
      flat.push_back(r.read + i < r.text.size() ? r.text[r.read + i] : r.text.back());
  return Tensor::from(flat, {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(count)});
}

// Draws the next token of a row from its logits, unless it is still reading its prompt or has ended.
void extend(Row& r, const double* logits, std::int64_t vocab, const SampleOptions& o, const Key& key) {
  if (r.done || r.read < r.text.size()) return;
  const auto p = sampling_distribution(std::vector<double>(logits, logits + vocab), o);
  const std::size_t token = draw(p, key.uniform_at(r.completion.tokens.size()));
  r.completion.tokens.push_back(static_cast<std::int64_t>(token));
  r.completion.logps.push_back(exact::log(p[token]));
  r.text.push_back(static_cast<std::int64_t>(token));
  r.completion.stopped = std::find(o.stop_tokens.begin(), o.stop_tokens.end(), r.text.back()) != o.stop_tokens.end();
  r.done = r.completion.stopped || static_cast<std::int64_t>(r.completion.tokens.size()) >= o.max_tokens;
}

// A full context: the older half of the text goes, the rest is read again.
void forget_half(Row& r, std::int64_t context) {
  const std::size_t keep = std::min(r.text.size(), static_cast<std::size_t>(std::max<std::int64_t>(context / 2, 1)));
  r.text.erase(r.text.begin(), r.text.end() - static_cast<std::ptrdiff_t>(keep));
  r.read = 0;
}

// The same model with its f32 matrices laid out by columns of the product: a step of decoding multiplies a few rows by
// every weight, and then each weight is read once where it lies instead of being packed first. The same bits.
std::unique_ptr<Gpt> laid_out_for_decoding(const Gpt& model) {
  auto out = std::make_unique<Gpt>(model.options());
  const auto from = const_cast<Gpt&>(model).parameters();  // members() has no const form; nothing is written
  const auto to = out->parameters();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Tensor value = from[i]->var.value();
    const bool matrix = value.dim() == 2 && from[i]->role != nn::Role::input && value.dtype() == DType::f32 &&
                        value.device().kind != DeviceKind::cuda;
    to[i]->var = Var(matrix ? value.transpose(0, 1).contiguous().transpose(0, 1) : value);
  }
  return out;
}

}  // namespace

std::vector<Completion> sample(const Gpt& model, const std::vector<std::vector<std::int64_t>>& prompts,
                               const SampleOptions& o, const Key& key,
                               const std::function<void(std::size_t, std::int64_t)>& on_token) {
  const std::int64_t context = model.options().context, vocab = model.options().vocab;
  const Device device = model.head_weight().device();
  const DType dtype = model.head_weight().dtype();
  std::vector<Row> rows;
  for (const auto& prompt : prompts) {
    if (prompt.empty())
      throw UserError("an empty prompt leaves nothing to continue", "sample", "give at least one token");
    for (const auto t : prompt)
      if (t < 0 || t >= vocab)
        throw UserError(fmt::format("token {} is outside the vocabulary of {}", t, vocab), "sample");
    const std::size_t cut =
        prompt.size() > static_cast<std::size_t>(context) ? prompt.size() - static_cast<std::size_t>(context) : 0;
    rows.push_back({.text = {prompt.begin() + static_cast<std::ptrdiff_t>(cut), prompt.end()}, .completion = {}});
    rows.back().done = o.max_tokens == 0;
  }
  if (rows.empty()) return {};

  const auto decoder = laid_out_for_decoding(model);
  GptCache cache = decoder->make_cache(static_cast<std::int64_t>(rows.size()), context, dtype, device);
  const auto all_done = [&] { return std::all_of(rows.begin(), rows.end(), [](const Row& r) { return r.done; }); };
  while (!all_done()) {
    std::size_t ahead = static_cast<std::size_t>(context);  // as many tokens as every row still has to read
    for (const Row& r : rows)
      if (!r.done) ahead = std::min(ahead, r.text.size() - r.read);
    bool forgot = false;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i].read + ahead > static_cast<std::size_t>(context)) {
        forget_half(rows[i], context);
        cache.rewind(static_cast<std::int64_t>(i));
        forgot = true;
      }
    if (forgot) continue;
    const auto logits = decoder->decode(next_tokens(rows, ahead).to(device), cache).to_vector<double>();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i].read += ahead;
      const std::size_t before = rows[i].completion.tokens.size();
      extend(rows[i], logits.data() + static_cast<std::int64_t>(i) * vocab, vocab, o, key.at(i));
      if (on_token && rows[i].completion.tokens.size() > before) on_token(i, rows[i].completion.tokens.back());
    }
  }
  std::vector<Completion> out;
  for (Row& r : rows) out.push_back(std::move(r.completion));
  return out;
}

}  // namespace plumb::models
