// Keys, and what is drawn from them.
#include "core/random.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "core/backend.h"
#include "core/random_math.h"

namespace plumb {
namespace {

namespace rm = random_math;

// splitmix64's finaliser: every bit of the result depends on every bit of x.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

Tensor draw(kernels::Distribution d, std::uint64_t key, double a, double b, const Shape& shape, DType t,
            Device device) {
  Tensor out = Tensor::empty(shape, t, device, "random numbers");
  backend(device).random(d, key, 0, a, b, out.view());
  return out;
}

}  // namespace

void Philox::block(const std::uint32_t counter[4], const std::uint32_t key[2], std::uint32_t out[4]) {
  const auto join = [](const std::uint32_t* w) { return w[0] | static_cast<std::uint64_t>(w[1]) << 32; };
  const rm::Words words = rm::philox(join(key), join(counter), join(counter + 2));
  std::copy(words.w, words.w + 4, out);
}

// A child's key: the parent's bits and the purpose (FNV-1a of its text, or the index; told apart by a constant), mixed.
Key Key::at(std::string_view purpose) const {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : purpose) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return Key(mix(mix(bits_ ^ 0x7465787400000000ull) ^ hash));
}
Key Key::at(std::uint64_t index) const { return Key(mix(mix(bits_ ^ 0x696E646578000000ull) ^ index)); }

Tensor Key::uniform(const Shape& shape, double low, double high, DType t, Device d) const {
  return draw(kernels::Distribution::uniform, bits_, low, high, shape, t, d);
}
Tensor Key::normal(const Shape& shape, double mean, double sd, DType t, Device d) const {
  return draw(kernels::Distribution::normal, bits_, mean, sd, shape, t, d);
}
Tensor Key::truncated_normal(const Shape& shape, double sd, DType t, Device d) const {
  return draw(kernels::Distribution::truncated_normal, bits_, 0, sd, shape, t, d);
}
Tensor Key::gumbel(const Shape& shape, DType t, Device d) const {
  return draw(kernels::Distribution::gumbel, bits_, 0, 1, shape, t, d);
}

// Fisher and Yates: place i, from the end, is exchanged with one of 0 .. i.
Tensor Key::permutation(std::int64_t n) const {
  if (n < 0) fail("permutation", "the length must not be negative, not {}", n);
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[below(i, i)]);
  return Tensor::from(order, {n});
}

// Row r draws V Gumbels from the child stream r. An impossible class has the logit minus infinity.
Tensor Key::categorical(const Tensor& logits) const {
  if (logits.dim() == 0 || logits.size(-1) == 0 || !is_floating(logits.dtype()))
    fail("categorical", "logits must be floats [..., V] with V > 0, not {} {}", name_of(logits.dtype()),
         to_string(logits.shape()));
  const Tensor host = logits.to(DType::f64).to(Device{}).contiguous();
  const std::int64_t classes = logits.size(-1), rows = logits.numel() / classes;
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(rows));
  for (std::int64_t r = 0; r < rows; ++r) {
    const double* row = host.data<double>() + r * classes;
    const std::uint64_t stream = at(static_cast<std::uint64_t>(r)).bits();
    double best = 0;
    std::int64_t where = -1;
    for (std::int64_t v = 0; v < classes; ++v) {
      if (std::isnan(row[v])) fail("categorical", "the logit of class {} in row {} is NaN", v, r);
      const double score = row[v] + rm::gumbel(rm::open_unit(rm::bits64(stream, static_cast<std::uint64_t>(v))));
      if (where < 0 || score > best) best = score, where = v;
    }
    chosen[static_cast<std::size_t>(r)] = where;
  }
  Shape shape = logits.shape();
  shape.erase(shape.size() - 1);
  return Tensor::from(chosen, shape).to(logits.device());
}

double Key::uniform_at(std::uint64_t i) const { return rm::unit(rm::bits64(bits_, i)); }
double Key::normal_at(std::uint64_t i) const { return rm::normal(rm::open_unit(rm::bits64(bits_, i))); }

// Lemire's multiplication: the high half of n * draw, where the low half shows no bias; else the next attempt.
std::uint64_t Key::below(std::uint64_t n, std::uint64_t i) const {
  PLUMB_ASSERT(n > 0);
  for (std::uint64_t attempt = 1;; ++attempt) {
    const rm::Words x = rm::philox(bits_, i, attempt);
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(x.w[0] | static_cast<std::uint64_t>(x.w[1]) << 32) * n;
    const auto low = static_cast<std::uint64_t>(product);
    if (low >= n || low >= (0 - n) % n) return static_cast<std::uint64_t>(product >> 64);
  }
}

}  // namespace plumb
