// Random numbers: published answers of Philox, and tests of every distribution and of streams against each other.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "core/backend.h"
#include "core/parallel.h"
#include "lab/check/check.h"
#include "lab/check/numbers/laws.h"

namespace plumb::lab {
namespace {

template <class Work>
void exact(Cases& cases, const std::string& what, const Work& holds) {
  if (cases.next()) cases.note(holds(), what);
}

// A sample, and what it is tested with.
struct Test {
  const char* name;
  double (*p)(const Histogram&);
};
void sample(Cases& cases, const std::string& what, const std::vector<Test>& tests,
            const std::function<Histogram()>& draw) {
  constexpr double extreme = 1e-4;  // on both sides: a sample can also be too even
  std::optional<Histogram> drawn;
  std::string line;
  for (const Test& test : tests) {
    if (!cases.next()) continue;
    if (!drawn) {
      drawn = draw();
      line = fmt::format("{:<32} {:>12} draws  ", what, drawn->total());
    }
    const double p = test.p(*drawn);
    line += fmt::format("  {} p = {:.4f}", test.name, p);
    cases.note(p >= extreme && p <= 1 - extreme, fmt::format("{}: {} p = {:.3g}", what, test.name, p));
  }
  if (drawn) cases.detail(line);
}
const std::vector<Test> only_chi_square{{"chi-square", chi_square_p}};

// The vectors for philox4x32 with 10 rounds that Random123 publishes, word by word; the first also as a tensor of bits.
void known_answers(Cases& cases) {
  struct Answer {
    std::uint32_t counter[4], key[2], words[4];
  };
  static constexpr Answer answers[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (const Answer& a : answers)
    for (int word = 0; word < 4; ++word)
      exact(cases, fmt::format("philox4x32-10, counter {:08x}...: word {}", a.counter[0], word), [&] {
        std::uint32_t out[4];
        Philox::block(a.counter, a.key, out);
        return out[word] == a.words[word];
      });
  for (int word = 0; word < 4; ++word)
    exact(cases, fmt::format("the tensor of raw bits: word {}", word), [&] {
      Tensor bits = Tensor::empty({4}, DType::i32);
      backend(cpu_device).random(kernels::Distribution::bits, 0, 0, 0, 0, bits.view());
      return static_cast<std::uint32_t>(bits.data<std::int32_t>()[word]) == answers[0].words[word];
    });
}

void distributions(Cases& cases, const Key& key, bool full) {
  for (const Law& law : laws()) {
    const std::int64_t n = !full ? 4'000'000 : law.dtype == DType::f32 ? 2'400'000'000 : 100'000'000;
    sample(cases, law.name,
           {{"chi-square", chi_square_p},
            {"Kolmogorov-Smirnov", kolmogorov_smirnov_p},
            {"Anderson-Darling", anderson_darling_p},
            {"shift", shift_p},
            {"scale", scale_p}},
           [&] { return histogram_of(law, key.at(law.name), n); });
  }
}

// Cells of equal probability: the cell of each of n draws.
template <class Cell>
Histogram counted(std::size_t cells, std::int64_t n, const Cell& cell) {
  constexpr std::int64_t slices = 64;
  std::vector<std::vector<std::uint64_t>> parts(slices, std::vector<std::uint64_t>(cells));
  parallel_for(slices, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s)
      for (std::int64_t i = n * s / slices; i < n * (s + 1) / slices; ++i)
        ++parts[static_cast<std::size_t>(s)][cell(static_cast<std::uint64_t>(i))];
  });
  Histogram h{std::vector<std::uint64_t>(cells), std::vector<double>(cells, 1 / static_cast<double>(cells))};
  for (const auto& part : parts)
    for (std::size_t i = 0; i < cells; ++i) h.counts[i] += part[i];
  return h;
}

Histogram categories(const Key& key, std::int64_t n) {
  const std::vector<double> p{0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.02};
  constexpr std::int64_t rows = 10'000;
  std::vector<double> logits;
  for (const double x : p) logits.push_back(std::log(x));
  const Tensor same = Tensor::from(logits, {1, static_cast<std::int64_t>(p.size())}).expand({rows, 7});
  Histogram h{std::vector<std::uint64_t>(p.size()), p};
  for (std::int64_t i = 0; i < n / rows; ++i)
    for (const auto c : key.at(static_cast<std::uint64_t>(i)).categorical(same).to_vector<std::int64_t>())
      ++h.counts[static_cast<std::size_t>(c)];
  return h;
}

// Which of the orders of five (Lehmer's number).
std::size_t order_of(const Tensor& permutation) {
  const auto p = permutation.to_vector<std::int64_t>();
  std::size_t number = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const auto lower =
        std::count_if(p.begin() + static_cast<std::ptrdiff_t>(i), p.end(), [&](auto x) { return x < p[i]; });
    number = number * (p.size() - i) + static_cast<std::size_t>(lower);
  }
  return number;
}

void choices(Cases& cases, const Key& key, bool full) {
  const std::int64_t n = full ? 20'000'000 : 1'000'000;
  for (const std::uint64_t cells : {7, 1000})
    sample(cases, fmt::format("below({})", cells), only_chi_square,
           [&] { return counted(cells, n, [&](std::uint64_t i) { return key.at("below").below(cells, i); }); });
  sample(cases, "categorical of 7", only_chi_square, [&] { return categories(key.at("categorical"), n); });
  sample(cases, "permutation of 5", only_chi_square, [&] {
    return counted(120, n / 4, [&](std::uint64_t i) { return order_of(key.at("order").at(i).permutation(5)); });
  });
  sample(cases, "permutation of 52, last place", only_chi_square, [&] {
    return counted(52, n / 20, [&](std::uint64_t i) {
      const Tensor p = key.at("deck").at(i).permutation(52);
      return static_cast<std::size_t>(p.data<std::int64_t>()[51]);
    });
  });
}

// Pairs of draws that must know nothing of each other, in a square of cells.
void streams(Cases& cases, const Key& key, bool full) {
  const std::int64_t n = full ? 50'000'000 : 1'000'000;
  using Draw = std::function<double(std::uint64_t)>;
  const auto of = [](Key k) { return Draw([k](std::uint64_t i) { return k.uniform_at(i); }); };
  const auto pair = [&](const std::string& what, const Draw& a, const Draw& b) {
    constexpr double side = 64;
    sample(cases, what, only_chi_square, [&] {
      return counted(64 * 64, n, [&](std::uint64_t i) {
        return static_cast<std::size_t>(a(i) * side) * 64 + static_cast<std::size_t>(b(i) * side);
      });
    });
  };
  pair("neighbouring seeds", of(Key(key.bits())), of(Key(key.bits() + 1)));
  pair("seeds that differ in one high bit", of(Key(key.bits())), of(Key(key.bits() ^ (1ull << 63))));
  pair("children of two names", of(key.at("a")), of(key.at("b")));
  pair("neighbouring children", of(key.at(0)), of(key.at(1)));
  pair("parent and child", of(key), of(key.at("a")));
  pair("a draw and the next", of(key), [&](std::uint64_t i) { return key.uniform_at(i + 1); });
  pair("a draw and that of the next block", of(key), [&](std::uint64_t i) { return key.uniform_at(i + 4); });
  pair(
      "first draws of children", [&](std::uint64_t i) { return key.at(i).uniform_at(0); },
      [&](std::uint64_t i) { return key.at(i + 1).uniform_at(0); });
}

// How often each of the 64 bits of a draw is set.
void bits(Cases& cases, const Key& key, bool full) {
  const std::int64_t n = full ? 100'000'000 : 1'000'000;
  exact(cases, "each bit is set half of the time", [&] {
    constexpr std::int64_t batch = 50'000;
    std::vector<std::int64_t> set(64);
    Tensor draws = Tensor::empty({batch}, DType::i64);
    for (std::int64_t first = 0; first < n; first += batch) {
      backend(cpu_device)
          .random(kernels::Distribution::bits, key.bits(), static_cast<std::uint64_t>(first), 0, 0, draws.view());
      for (std::int64_t i = 0; i < batch; ++i)
        for (std::size_t b = 0; b < 64; ++b)
          set[b] += static_cast<std::uint64_t>(draws.data<std::int64_t>()[i]) >> b & 1;
    }
    double statistic = 0;
    for (const auto c : set) {
      const double off = static_cast<double>(c) - static_cast<double>(n) / 2;
      statistic += off * off / (static_cast<double>(n) / 4);
    }
    const double p = chi_square_tail(statistic, 64);
    return p >= 1e-4 && p <= 1 - 1e-4;
  });
}

CheckResult check_random(const CheckOptions& o) {
  Cases cases(o, "answers and tests of distributions");
  const Key key = Key(o.seed).at("random");
  known_answers(cases);
  distributions(cases, key.at("distributions"), o.full);
  choices(cases, key.at("choices"), o.full);
  streams(cases, key.at("streams"), o.full);
  bits(cases, key.at("bits"), o.full);
  return cases.result();
}

const CheckRegistration registered({.figure = "R16",
                                    .name = "random",
                                    .help = "random numbers give the published answers and pass tests of their laws",
                                    .run = check_random});

}  // namespace
}  // namespace plumb::lab
