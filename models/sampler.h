// Sampling from a language model with cached keys and values.
#pragma once

#include <functional>
#include <vector>

#include "models/gpt.h"

namespace plumb::models {

struct SampleOptions {
  double temperature = 1;       // 0 = greedy
  std::int64_t top_k = 0;       // 0 = off
  double top_p = 1, min_p = 0;  // nucleus (arXiv 1904.09751); below min_p times the likeliest is dropped (2407.01082)
  std::int64_t max_tokens = 256;
  std::vector<std::int64_t> stop_tokens = {};
  void fields(Fields& f);
};

// The distribution after temperature and truncation, [V] in f64, summing to one. Ties at a cut: lower tokens stay.
std::vector<double> sampling_distribution(const std::vector<double>& logits, const SampleOptions& options);

struct Completion {
  std::vector<std::int64_t> tokens;  // without the prompt; the stop token, when one came, is the last
  std::vector<double> logps;         // of each token under the distribution that drew it
  bool stopped = false;
};

// One completion for each prompt, drawn together. Row r depends only on its prompt and key.at(r): its tokens do not
// change with its neighbours. When the context is full, the oldest half of it is dropped and read again. UserError for
// an empty prompt or a token outside the vocabulary.
std::vector<Completion> sample(const Gpt& model, const std::vector<std::vector<std::int64_t>>& prompts,
                               const SampleOptions& options, const Key& key,
                               const std::function<void(std::size_t row, std::int64_t token)>& on_token = {});

}  // namespace plumb::models
