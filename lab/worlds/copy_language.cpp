// The copy language: table, samples, exact probabilities.
#include "lab/worlds/copy_language.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/errors.h"
#include "core/exact_math.h"
#include "core/files/digest.h"
#include "core/parallel.h"
#include "lab/config/read.h"

namespace plumb::worlds {
namespace {

constexpr double zipf_exponent = 1.2, table_spread = 1.5;

Key root(const CopyLanguageOptions& o) { return Key(static_cast<std::uint64_t>(o.seed)).at("copy_language"); }

std::vector<double> softmax(std::vector<double> logits) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& x : logits) sum += (x = exact::exp(x - highest));
  for (double& x : logits) x /= sum;
  return logits;
}

void sum_up(std::vector<double>& rows, std::int64_t V) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (i % static_cast<std::size_t>(V) != 0) rows[i] += rows[i - 1];
}

// The token whose share of [0, 1) holds u. Rounding may leave the last sum a hair below 1.
std::int64_t pick(const double* cumulative, std::int64_t V, double u) {
  return std::min<std::int64_t>(std::upper_bound(cumulative, cumulative + V, u) - cumulative, V - 1);
}

}  // namespace

CopyLanguage::CopyLanguage(const CopyLanguageOptions& options, std::uint64_t run_seed)
    : options_(options),
      training_(root(options).at("train").at(run_seed)),
      validation_(root(options).at("validation")) {
  check_fields(options_, "copy_language");
  const auto V = options_.vocab;
  const Key spread = root(options).at("table");
  std::vector<double> zipf(static_cast<std::size_t>(V));
  for (std::int64_t j = 0; j < V; ++j)
    zipf[static_cast<std::size_t>(j)] = -zipf_exponent * exact::log(static_cast<double>(j + 1));
  first_ = softmax(zipf);
  table_.reserve(static_cast<std::size_t>(V * V));
  for (std::int64_t i = 0; i < V; ++i) {
    auto logits = zipf;
    const Key row = spread.at(static_cast<std::uint64_t>(i));
    for (std::int64_t j = 0; j < V; ++j)
      logits[static_cast<std::size_t>(j)] += table_spread * row.normal_at(static_cast<std::uint64_t>(j));
    const auto p = softmax(std::move(logits));
    table_.insert(table_.end(), p.begin(), p.end());
  }
  first_cumulative_ = first_;
  table_cumulative_ = table_;
  sum_up(first_cumulative_, V);
  sum_up(table_cumulative_, V);
}

void CopyLanguage::check_length(std::int64_t T) const {
  if (T >= 1 && T + 1 <= options_.length) return;
  throw UserError(
      fmt::format("copy_language has sequences of {} tokens, so a row of {} inputs and one more target cannot be cut",
                  options_.length, T),
      {},
      fmt::format("set its length to {} or the context to at most {}", std::max<std::int64_t>(T, 1) + 1,
                  options_.length - 1));
}

Tensor CopyLanguage::sample(const Key& stream, std::int64_t rows, std::int64_t T) const {
  check_length(T);
  Tensor tokens = Tensor::empty({rows, T + 1}, DType::i64, cpu_device, "copy_language");
  std::int64_t* out = tokens.data<std::int64_t>();
  const auto V = options_.vocab, d = options_.copy_distance;
  parallel_for(rows, grain_for((T + 1) * 64), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const Key draws = stream.at(static_cast<std::uint64_t>(r));
      std::int64_t* x = out + r * (T + 1);
      for (std::int64_t t = 0; t <= T; ++t) {
        const auto u = [&](int k) { return draws.uniform_at(static_cast<std::uint64_t>(2 * t + k)); };
        if (t == 0) x[t] = pick(first_cumulative_.data(), V, u(0));
        else if (t >= d && u(1) < options_.copy_probability) x[t] = x[t - d];
        else x[t] = pick(table_cumulative_.data() + x[t - 1] * V, V, u(0));
      }
    }
  });
  return tokens;
}

Tensor CopyLanguage::batch(std::int64_t step, std::int64_t rows, std::int64_t T) const {
  return sample(training_.at(static_cast<std::uint64_t>(step)), rows, T);
}

Tensor CopyLanguage::validation(std::int64_t rows, std::int64_t T) const { return sample(validation_, rows, T); }

double CopyLanguage::probability(std::span<const std::int64_t> row, std::int64_t t) const {
  const auto at = [&](std::int64_t i) { return row[static_cast<std::size_t>(i)]; };
  if (t == 0) return first_[static_cast<std::size_t>(at(0))];
  const double p = table_row(at(t - 1))[at(t)], c = options_.copy_probability;
  if (t < options_.copy_distance) return p;
  return (1 - c) * p + (at(t) == at(t - options_.copy_distance) ? c : 0.0);
}

std::vector<double> CopyLanguage::conditional(std::span<const std::int64_t> prefix) const {
  std::vector<std::int64_t> row(prefix.begin(), prefix.end());
  for (const auto x : row)
    if (x < 0 || x >= options_.vocab)
      fail("copy_language", "token {} is not in the vocabulary of {}.", x, options_.vocab);
  const auto t = static_cast<std::int64_t>(row.size());
  row.push_back(0);
  std::vector<double> p;
  for (row.back() = 0; row.back() < options_.vocab; ++row.back()) p.push_back(probability(row, t));
  return p;
}

Tensor CopyLanguage::log_probabilities(const Tensor& tokens) const {
  if (tokens.dim() != 2 || tokens.dtype() != DType::i64 || tokens.size(1) < 2)
    fail("copy_language", "tokens must be i64 [rows, T+1], not {}.", to_string(tokens));
  const Tensor host = tokens.to(cpu_device).contiguous();
  const auto rows = host.size(0), width = host.size(1);
  const std::int64_t* x = host.data<std::int64_t>();
  for (std::int64_t i = 0; i < host.numel(); ++i)
    if (x[i] < 0 || x[i] >= options_.vocab)
      fail("copy_language", "token {} is not in the vocabulary of {}.", x[i], options_.vocab);
  Tensor result = Tensor::empty({rows, width - 1}, DType::f64, cpu_device, "copy_language");
  double* out = result.data<double>();
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t t = 1; t < width; ++t)
      *out++ = exact::log(probability({x + r * width, static_cast<std::size_t>(width)}, t));
  return result;
}

std::optional<double> CopyLanguage::entropy_floor(const Tensor& tokens) const {
  const Tensor logps = log_probabilities(tokens);
  if (logps.numel() == 0) return {};
  double sum = 0;
  for (const double x : logps.to_vector<double>()) sum -= x;
  return sum / static_cast<double>(logps.numel());
}

std::vector<std::int64_t> CopyLanguage::encode(std::string_view text) const {
  std::vector<std::int64_t> out;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    std::int64_t token = -1;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), token);
    if (error != std::errc() || end != word.data() + word.size() || token < 0 || token >= options_.vocab)
      throw UserError(fmt::format("\"{}\" is not a token of this language", word), "copy_language",
                      fmt::format("tokens are numbers from 0 to {}, separated by spaces", options_.vocab - 1));
    out.push_back(token);
  }
  return out;
}

std::string CopyLanguage::decode(std::span<const std::int64_t> tokens) const {
  return fmt::format("{}", fmt::join(tokens, " "));
}

std::string CopyLanguage::describe() const {
  return fmt::format("copy language: {} tokens, sequences of {}, copies from {} back with probability {}",
                     options_.vocab, options_.length, options_.copy_distance, options_.copy_probability);
}

std::string CopyLanguage::digest() const { return files::digest("copy_language 1\n" + resolved_toml(options_)); }

}  // namespace plumb::worlds
