// A synthetic language that needs attention: the next token follows a fixed order-1 table P, or, with probability c
// from position d on, repeats the token d places back. The conditional (1-c) P[previous, .] + c [. == x(t-d)] is known,
// and so is the entropy floor that no model can pass.
#pragma once

#include <string>
#include <vector>

#include "core/fields.h"
#include "core/random.h"
#include "lab/data/token_data.h"

namespace plumb::worlds {

struct CopyLanguageOptions {
  std::int64_t vocab = 128;
  double copy_probability = 0.5;
  std::int64_t copy_distance = 5, length = 32;
  // Floors of such languages lie between 1.1 and 2.3 nats; that of this seed, 2.29, is near the 2.274 of the study of
  // small-scale proxies whose losses it is to be compared with.
  std::int64_t seed = 175;
  double memory() const { return 2.0 * sizeof(double) * static_cast<double>(vocab * (vocab + 1)); }  // of the tables
  void fields(Fields& f) {
    f("vocab", vocab).at_least(2).at_most(8192).unit("tokens").help("size of the vocabulary");
    f("copy_probability", copy_probability)
        .at_least(0)
        .at_most(1)
        .help("probability that a token repeats an earlier one");
    f("copy_distance", copy_distance)
        .at_least(1)
        .unit("tokens")
        .help("how far back the repeated token stands; from length on, none does");
    f("length", length).at_least(2).unit("tokens").help("tokens of one sequence; a row holds at most so many");
    f("seed", seed).at_least(0).help("seed of the language itself and of its validation set");
  }
};

class CopyLanguage final : public TokenData {
 public:
  // The table and the validation set depend on options.seed only; training rows on run_seed too.
  CopyLanguage(const CopyLanguageOptions& options, std::uint64_t run_seed);

  std::int64_t vocab() const override { return options_.vocab; }
  Tensor batch(std::int64_t step, std::int64_t rows, std::int64_t T) const override;
  Tensor validation(std::int64_t rows, std::int64_t T) const override;
  std::optional<double> entropy_floor(const Tensor& tokens) const override;
  std::string decode(std::span<const std::int64_t> tokens) const override;  // "12 7 99"
  std::vector<std::int64_t> encode(std::string_view text) const override;   // its inverse
  std::string describe() const override;
  std::string digest() const override;

  // `rows` sequences of T+1 tokens from a stream of their own: i64 [rows, T+1].
  Tensor sample(const Key& stream, std::int64_t rows, std::int64_t T) const;
  // The exact distribution of the token after `prefix` (the first token's when it is empty): vocab() probabilities.
  std::vector<double> conditional(std::span<const std::int64_t> prefix) const;
  // f64 [rows, T] from i64 [rows, T+1]: log p(token t | tokens before it), t = 1..T.
  Tensor log_probabilities(const Tensor& tokens) const;

 private:
  const double* table_row(std::int64_t previous) const { return table_.data() + previous * options_.vocab; }
  double probability(std::span<const std::int64_t> row, std::int64_t t) const;
  void check_length(std::int64_t T) const;

  CopyLanguageOptions options_;
  Key training_, validation_;
  std::vector<double> first_, table_;                        // [V], [V,V]: probabilities
  std::vector<double> first_cumulative_, table_cumulative_;  // the same, summed up along a row
};

}  // namespace plumb::worlds
