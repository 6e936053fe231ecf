// A draw is a function of its key and position: in any order, in any pieces, on any thread.
#include <fmt/format.h>

#include <functional>

#include "core/backend.h"
#include "core/files/digest.h"
#include "core/parallel.h"
#include "lab/check/check.h"
#include "lab/check/small_run.h"

namespace plumb::lab {
namespace {

using kernels::Distribution;

constexpr Distribution distributions[] = {Distribution::uniform, Distribution::normal, Distribution::truncated_normal,
                                          Distribution::gumbel};

std::string digest_of_tensor(const Tensor& t) { return files::digest(files::NamedTensor{"draws", t}); }

void fill(Distribution d, const Key& key, std::int64_t first, std::int64_t last, const Tensor& all) {
  backend(cpu_device).random(d, key.bits(), static_cast<std::uint64_t>(first), 0, 1, all.slice(0, first, last).view());
}

// The pieces of [0, n), of many lengths, in an order of their own.
std::vector<std::pair<std::int64_t, std::int64_t>> shuffled_pieces(std::int64_t n, const Key& key) {
  std::vector<std::pair<std::int64_t, std::int64_t>> pieces;
  for (std::int64_t at = 0; at < n;) {
    const auto length = 1 + static_cast<std::int64_t>(key.below(700, static_cast<std::uint64_t>(at)));
    pieces.emplace_back(at, std::min(n, at + length));
    at = pieces.back().second;
  }
  const auto order = key.permutation(static_cast<std::int64_t>(pieces.size())).to_vector<std::int64_t>();
  std::vector<std::pair<std::int64_t, std::int64_t>> shuffled;
  for (const auto i : order) shuffled.push_back(pieces[static_cast<std::size_t>(i)]);
  return shuffled;
}

std::string whole(Distribution d, const Key& key, std::int64_t n, DType t) {
  Tensor all = Tensor::empty({n}, t);
  fill(d, key, 0, n, all);
  return digest_of_tensor(all);
}
std::string in_pieces(Distribution d, const Key& key, std::int64_t n, DType t, bool shared) {
  Tensor all = Tensor::empty({n}, t);
  const auto pieces = shuffled_pieces(n, key.at("pieces"));
  const auto some = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      fill(d, key, pieces[static_cast<std::size_t>(i)].first, pieces[static_cast<std::size_t>(i)].second, all);
  };
  if (shared) parallel_for(static_cast<std::int64_t>(pieces.size()), 1, some);
  else some(0, static_cast<std::int64_t>(pieces.size()));
  return digest_of_tensor(all);
}

// What many keys give, visited forwards, backwards or on all threads.
std::string from_keys(const Key& key, const std::string& way) {
  constexpr std::int64_t keys = 500;
  std::vector<std::string> found(keys);
  const auto visit = [&](std::int64_t i) {
    const Key mine = key.at(static_cast<std::uint64_t>(i)).at("purpose");
    found[static_cast<std::size_t>(i)] = digest_of_tensor(mine.normal({37})) + digest_of_tensor(mine.permutation(19)) +
                                         digest_of_tensor(mine.categorical(mine.at("logits").normal({3, 11})));
  };
  if (way == "threads")
    parallel_for(keys, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) visit(i);
    });
  for (std::int64_t i = 0; i < keys && way != "threads"; ++i) visit(way == "forwards" ? i : keys - 1 - i);
  std::string all;
  for (const auto& f : found) all += f;
  return files::digest(all);
}

// Batches of the training data, asked for in another order, from another stretch of steps, and by another reader.
bool batches_in_any_order() {
  constexpr std::int64_t steps = 20, rows = 4, length = 31;
  Trainer first(small_config()), second(small_config());
  std::vector<Tensor> forwards;
  for (std::int64_t i = 0; i < steps; ++i) forwards.push_back(first.data().batch(i, rows, length));
  for (std::int64_t i = steps; i-- > 0;)
    if (!same_bits(second.data().batch(i, rows, length), forwards[static_cast<std::size_t>(i)])) return false;
  return true;
}

CheckResult check_order(const CheckOptions& o) {
  Cases cases(o, "ways to draw the same numbers");
  const ThreadsKept kept;
  std::int64_t number = 0;
  const std::int64_t n = o.full ? 20'000'000 : 200'000;
  const Key key = Key(o.seed).at("order");
  for (const Distribution d : distributions)
    for (const DType t : {DType::f32, DType::f64, DType::bf16}) {
      set_num_threads(1);
      const std::string expected = whole(d, key, n, t);
      const auto note = [&](const std::string& way, const std::function<std::string()>& draw) {
        if (const std::int64_t mine = number++; cases.wants(mine))
          cases.note(mine, draw() == expected, fmt::format("{} {}, {}, differs", name_of(t), static_cast<int>(d), way));
      };
      note("in pieces, out of order", [&] { return in_pieces(d, key, n, t, false); });
      for (const int threads : {2, 3, 8}) {
        set_num_threads(threads);
        note(fmt::format("on {} threads", threads), [&] { return whole(d, key, n, t); });
        note(fmt::format("in pieces, on {} threads", threads), [&] { return in_pieces(d, key, n, t, true); });
      }
    }
  for (const char* way : {"backwards", "threads"})
    if (const std::int64_t mine = number++; cases.wants(mine))
      cases.note(mine, from_keys(key, way) == from_keys(key, "forwards"), fmt::format("keys visited {} differ", way));
  if (cases.wants(number))
    cases.note(number, batches_in_any_order(), "batches of data depend on which were read before");
  return cases.result();
}

const CheckRegistration registered({.figure = "R17",
                                    .name = "order",
                                    .help = "random numbers do not depend on order, pieces or threads",
                                    .run = check_order});

}  // namespace
}  // namespace plumb::lab
