// Attention and its gradient against the explicit matrix, and the promises about the bits of a row.
#include <limits>
#include <optional>

#include "core/cpu/attention_table.h"
#include "tests/core/rows_support.h"

namespace plumb::testing {
namespace {

template <class T>
struct Attention : Floats<T> {};
TYPED_TEST_SUITE(Attention, FloatTypes);

struct Sizes {
  std::int64_t batch = 1, length = 1, keys = 1, heads = 1, key_heads = 1, d = 1;
  Shape q() const { return {batch, length, heads, d}; }
  Shape k() const { return {batch, keys, key_heads, d}; }
  Shape rows() const { return {batch, heads, length}; }
};
struct Options {
  bool causal = true, squared_relu = false;
  double softcap = 0;
  std::vector<std::int64_t> kv_length = {};
};

// Operands, and all that forward and backward give.
template <class T>
struct Case {
  Sizes s;
  Options o;
  std::vector<T> q, k, v, dout, out, log_sum_exp, max_logit, entropy, dq, dk, dv;

  explicit Case(Sizes sizes, Options options = {}) : s(sizes), o(std::move(options)) {
    q = random_values<T>(numel(s.q()), 1), k = random_values<T>(numel(s.k()), 2);
    v = random_values<T>(numel(s.k()), 3), dout = random_values<T>(numel(s.q()), 4);
  }
  void run() {
    out.assign(q.size(), 7), dq.assign(q.size(), 7), dk.assign(k.size(), 7), dv.assign(k.size(), 7);
    for (auto* stat : {&log_sum_exp, &max_logit, &entropy}) stat->assign(numel(s.rows()), 7);
    kernels::Attention a{.q = window(q, s.q()),
                         .k = window(k, s.k()),
                         .v = window(v, s.k()),
                         .out = window(out, s.q()),
                         .log_sum_exp = log_sum_exp.data(),
                         .scale = 0.7,
                         .softcap = o.softcap,
                         .causal = o.causal,
                         .squared_relu = o.squared_relu,
                         .kv_length = o.kv_length.empty() ? nullptr : o.kv_length.data(),
                         .max_logit = max_logit.data(),
                         .entropy = entropy.data()};
    backend(Device{}).attention(a);
    backend(Device{}).attention_grad({.forward = a,
                                      .dout = window(dout, s.q()),
                                      .dq = window(dq, s.q()),
                                      .dk = window(dk, s.k()),
                                      .dv = window(dv, s.k())});
  }
};

// The same with the whole matrix, in double.
template <class T>
struct Reference {
  std::vector<double> out, max_logit, entropy, log_sum_exp, dq, dk, dv;

  explicit Reference(const Case<T>& c) : out(c.q.size()), dq(c.q.size()), dk(c.k.size()), dv(c.k.size()) {
    for (std::int64_t b = 0; b < c.s.batch; ++b)
      for (std::int64_t h = 0; h < c.s.heads; ++h)
        for (std::int64_t t = 0; t < c.s.length; ++t) row(c, b, h, t);
  }

 private:
  void row(const Case<T>& c, std::int64_t b, std::int64_t h, std::int64_t t) {
    const Sizes& s = c.s;
    const std::int64_t length = c.o.kv_length.empty() ? s.keys : c.o.kv_length[b];
    const std::int64_t seen = std::clamp<std::int64_t>(c.o.causal ? length - s.length + t + 1 : length, 0, s.keys);
    const std::int64_t query = ((b * s.length + t) * s.heads + h) * s.d;
    const auto key = [&](std::int64_t j) {
      return ((b * s.keys + j) * s.key_heads + h / (s.heads / s.key_heads)) * s.d;
    };
    std::vector<double> w(seen), slope(seen), z(seen);
    double top = -std::numeric_limits<double>::infinity(), raw = top, total = 0, disorder = 0;
    for (std::int64_t j = 0; j < seen; ++j) {
      for (std::int64_t i = 0; i < s.d; ++i) z[j] += 0.7 * c.q[query + i] * c.k[key(j) + i];
      raw = std::max(raw, z[j]);
      slope[j] = 0.7;
      if (c.o.softcap > 0) {
        const double tanh = std::tanh(z[j] / c.o.softcap);
        z[j] = c.o.softcap * tanh, slope[j] *= 1 - tanh * tanh;
      }
      top = std::max(top, z[j]);
    }
    for (std::int64_t j = 0; j < seen; ++j) total += std::exp(z[j] - top);
    for (std::int64_t j = 0; j < seen; ++j) {
      const double positive = std::max(z[j], 0.0), n = std::sqrt(static_cast<double>(s.keys));
      w[j] = c.o.squared_relu ? positive * positive / n : std::exp(z[j] - top) / total;
      disorder -= w[j] > 0 && !c.o.squared_relu ? w[j] * std::log(w[j]) : 0;
      if (c.o.squared_relu) slope[j] *= 2 * positive / n;
    }
    max_logit.push_back(raw), entropy.push_back(disorder), log_sum_exp.push_back(top + std::log(total));
    double along = 0;
    std::vector<double> dw(seen);
    for (std::int64_t j = 0; j < seen; ++j)
      for (std::int64_t i = 0; i < s.d; ++i) {
        out[query + i] += w[j] * c.v[key(j) + i];
        dw[j] += 1.0 * c.dout[query + i] * c.v[key(j) + i];
      }
    for (std::int64_t j = 0; j < seen; ++j) along += w[j] * dw[j];
    for (std::int64_t j = 0; j < seen; ++j) {
      const double dz = (c.o.squared_relu ? dw[j] : w[j] * (dw[j] - along)) * slope[j];
      for (std::int64_t i = 0; i < s.d; ++i) {
        dq[query + i] += dz * c.k[key(j) + i], dk[key(j) + i] += dz * c.q[query + i];
        dv[key(j) + i] += w[j] * c.dout[query + i];
      }
    }
  }
};

template <class T>
void expect_equals_reference(Sizes s, Options o = {}) {
  SCOPED_TRACE(::testing::Message() << "B " << s.batch << " T " << s.length << " S " << s.keys << " H " << s.heads
                                    << "/" << s.key_heads << " d " << s.d << " cap " << o.softcap << " relu "
                                    << o.squared_relu);
  Case<T> c(s, o);
  c.run();
  const Reference<T> r(c);
  const double by = 10 * tolerance<T>;
  expect_close(c.out, r.out, by);
  expect_close(c.max_logit, r.max_logit, by);
  expect_close(c.entropy, r.entropy, by);
  if (!o.squared_relu) expect_close(c.log_sum_exp, r.log_sum_exp, by);
  expect_close(c.dq, r.dq, 3 * by);
  expect_close(c.dk, r.dk, 3 * by);
  expect_close(c.dv, r.dv, 3 * by);
}

TYPED_TEST(Attention, EqualsTheExplicitMatrixInOddShapes) {
  using T = TypeParam;
  expect_equals_reference<T>({.d = 5});
  expect_equals_reference<T>({.batch = 2, .length = 17, .keys = 17, .heads = 3, .key_heads = 1, .d = 2});
  expect_equals_reference<T>({.batch = 2, .length = 5, .keys = 40, .heads = 4, .key_heads = 2, .d = 33});
  expect_equals_reference<T>({.length = 1, .keys = 201, .heads = 2, .key_heads = 2, .d = 16});
  expect_equals_reference<T>({.length = 131, .keys = 131, .heads = 2, .key_heads = 1, .d = 8});
  expect_equals_reference<T>({.length = 60, .keys = 111, .heads = 1, .key_heads = 1, .d = 7}, {.causal = false});
}

TYPED_TEST(Attention, CapsLogitsAndTakesSquaredReluWeights) {
  using T = TypeParam;
  const Sizes s{.batch = 2, .length = 55, .keys = 55, .heads = 2, .key_heads = 1, .d = 6};
  expect_equals_reference<T>(s, {.softcap = 1.5});
  expect_equals_reference<T>(s, {.squared_relu = true});
  expect_equals_reference<T>(s, {.squared_relu = true, .softcap = 2});
}

TYPED_TEST(Attention, SeesOnlyTheKeysThatARowHas) {
  using T = TypeParam;
  const Sizes s{.batch = 3, .length = 4, .keys = 20, .heads = 2, .key_heads = 2, .d = 5};
  Case<T> c(s, {.kv_length = {4, 20, 9}});
  Case<T> junk = c;
  for (std::int64_t b = 0; b < 3; ++b)
    for (std::int64_t j = c.o.kv_length[b]; j < 20; ++j)
      for (std::int64_t i = 0; i < 10; ++i)
        junk.k[(b * 20 + j) * 10 + i] = junk.v[(b * 20 + j) * 10 + i] = std::numeric_limits<T>::quiet_NaN();
  c.run();
  junk.run();
  const Reference<T> r(c);
  expect_close(c.out, r.out, 10 * tolerance<T>);
  expect_close(c.dk, r.dk, 30 * tolerance<T>);
  EXPECT_TRUE(junk.out == c.out && junk.dq == c.dq && junk.dk == c.dk && junk.dv == c.dv);
  expect_equals_reference<T>(s, {.causal = false, .kv_length = {1, 20, 7}});
}

TYPED_TEST(Attention, GivesARowWithoutKeysZeros) {
  using T = TypeParam;
  Case<T> c({.length = 4, .keys = 4, .d = 3}, {.kv_length = {2}});
  c.run();
  EXPECT_TRUE(part(c.out, 0, 6) == std::vector<T>(6) && part(c.dq, 0, 6) == std::vector<T>(6));
  EXPECT_EQ(c.entropy[0], 0);
  EXPECT_EQ(c.log_sum_exp[1], -std::numeric_limits<T>::infinity());
  EXPECT_NE(c.out[6], 0);
}

TYPED_TEST(Attention, GivesADecodedRowTheBitsOfTheFullPass) {
  using T = TypeParam;
  const Sizes s{.batch = 2, .length = 150, .keys = 150, .heads = 4, .key_heads = 2, .d = 24};
  Case<T> full(s, {.softcap = 5});
  full.run();
  for (const std::int64_t t : {0, 1, 47, 48, 97, 149}) {
    // One query; a cache with room for 200 keys, of which t + 1 are valid and the others poison.
    Case<T> one({.batch = 2, .length = 1, .keys = 200, .heads = 4, .key_heads = 2, .d = 24},
                {.softcap = 5, .kv_length = {t + 1, t + 1}});
    std::fill(one.k.begin(), one.k.end(), std::numeric_limits<T>::quiet_NaN());
    one.v = one.k;
    for (std::int64_t b = 0; b < 2; ++b) {
      std::copy_n(full.q.begin() + (b * 150 + t) * 96, 96, one.q.begin() + b * 96);
      std::copy_n(full.k.begin() + b * 150 * 48, (t + 1) * 48, one.k.begin() + b * 200 * 48);
      std::copy_n(full.v.begin() + b * 150 * 48, (t + 1) * 48, one.v.begin() + b * 200 * 48);
    }
    one.run();
    for (std::int64_t b = 0; b < 2; ++b) {
      ASSERT_TRUE(part(one.out, b * 96, 96) == part(full.out, (b * 150 + t) * 96, 96)) << "position " << t;
      for (std::int64_t h = 0; h < 4; ++h) {
        const std::int64_t at = (b * 4 + h) * 150 + t;
        ASSERT_TRUE(one.log_sum_exp[b * 4 + h] == full.log_sum_exp[at] && one.entropy[b * 4 + h] == full.entropy[at] &&
                    one.max_logit[b * 4 + h] == full.max_logit[at]);
      }
    }
  }
}

// Example b of a batch, its rows cut to `length`.
template <class T>
std::vector<T> cut(const std::vector<T>& x, std::int64_t b, std::int64_t full, std::int64_t length,
                   std::int64_t width) {
  return part(x, b * full * width, length * width);
}

TYPED_TEST(Attention, GivesAnExampleTheSameBitsAloneInABatchAndPadded) {
  using T = TypeParam;
  const std::int64_t full = 130, length = 83, wide = 3 * 20, narrow = 20;
  Case<T> batch({.batch = 3, .length = full, .keys = full, .heads = 3, .key_heads = 1, .d = 20});
  const std::int64_t begin = full * wide;
  for (std::int64_t t = length; t < full; ++t) {  // padding of example 1: no gradient, and anything stored
    std::fill_n(batch.dout.begin() + begin + t * wide, wide, T{0});
    std::fill_n(batch.q.begin() + begin + t * wide, wide, std::numeric_limits<T>::quiet_NaN());
    std::fill_n(batch.k.begin() + full * narrow + t * narrow, narrow, std::numeric_limits<T>::infinity());
    std::fill_n(batch.v.begin() + full * narrow + t * narrow, narrow, std::numeric_limits<T>::quiet_NaN());
  }
  batch.run();
  Case<T> alone({.length = length, .keys = length, .heads = 3, .key_heads = 1, .d = 20});
  alone.q = cut(batch.q, 1, full, length, wide), alone.dout = cut(batch.dout, 1, full, length, wide);
  alone.k = cut(batch.k, 1, full, length, narrow), alone.v = cut(batch.v, 1, full, length, narrow);
  alone.run();
  EXPECT_TRUE(alone.out == cut(batch.out, 1, full, length, wide));
  EXPECT_TRUE(alone.dq == cut(batch.dq, 1, full, length, wide));
  EXPECT_TRUE(alone.dk == cut(batch.dk, 1, full, length, narrow));
  EXPECT_TRUE(alone.dv == cut(batch.dv, 1, full, length, narrow));
  EXPECT_TRUE(cut(batch.dk, 2, full, full, narrow) != cut(batch.dk, 0, full, full, narrow));
}

TYPED_TEST(Attention, DoesNotDependOnThreads) {
  for (const std::int64_t batch : {1, 5})  // one example: keys and queries apart; five: heads in parallel
    expect_same_for_all_threads([&] {
      Case<TypeParam> c({.batch = batch, .length = 200, .keys = 230, .heads = 3, .key_heads = 1, .d = 32});
      c.run();
      return std::vector{c.out, c.log_sum_exp, c.entropy, c.max_logit, c.dq, c.dk, c.dv};
    });
}

TYPED_TEST(Attention, ReadsAndWritesSlicesOfAFusedTensor) {
  using T = TypeParam;
  const Sizes s{.batch = 2, .length = 50, .keys = 50, .heads = 2, .key_heads = 2, .d = 8};
  Case<T> apart(s);
  apart.run();
  const Strides strides{50 * 48, 48, 8, 1};
  std::vector<T> qkv(2 * 50 * 48), dqkv(qkv.size()), out(apart.out.size()), lse(2 * 2 * 50);
  for (std::int64_t row = 0; row < 100; ++row) {
    std::copy_n(apart.q.begin() + row * 16, 16, qkv.begin() + row * 48);
    std::copy_n(apart.k.begin() + row * 16, 16, qkv.begin() + row * 48 + 16);
    std::copy_n(apart.v.begin() + row * 16, 16, qkv.begin() + row * 48 + 32);
  }
  const auto slice = [&](std::vector<T>& x, std::int64_t at) { return window(x, s.q(), at, &strides); };
  const kernels::Attention a{.q = slice(qkv, 0),
                             .k = slice(qkv, 16),
                             .v = slice(qkv, 32),
                             .out = window(out, s.q()),
                             .log_sum_exp = lse.data(),
                             .scale = 0.7};
  backend(Device{}).attention(a);
  backend(Device{}).attention_grad({.forward = a,
                                    .dout = window(apart.dout, s.q()),
                                    .dq = slice(dqkv, 0),
                                    .dk = slice(dqkv, 16),
                                    .dv = slice(dqkv, 32)});
  EXPECT_TRUE(out == apart.out);
  for (std::int64_t row = 0; row < 100; ++row) {
    ASSERT_TRUE(part(dqkv, row * 48, 16) == part(apart.dq, row * 16, 16));
    ASSERT_TRUE(part(dqkv, row * 48 + 16, 16) == part(apart.dk, row * 16, 16));
    ASSERT_TRUE(part(dqkv, row * 48 + 32, 16) == part(apart.dv, row * 16, 16));
  }
}

TEST(AttentionShapes, MayBeEmpty) {
  Case<float> nobody({.batch = 0, .d = 4}), no_queries({.length = 0, .keys = 3, .d = 2}),
      no_keys({.length = 2, .keys = 0, .d = 2});
  nobody.run();
  no_queries.run();
  no_keys.run();
  EXPECT_EQ(no_queries.dk, std::vector<float>(6));
  EXPECT_EQ(no_keys.out, std::vector<float>(4));
}

TYPED_TEST(Attention, WeighsRowsAlikeOnEveryInstructionSet) {
  using T = TypeParam;
  for (const auto* t :
       tables(cpu::baseline::attention_table(), cpu::avx2::attention_table(), cpu::avx512::attention_table())) {
    const std::int64_t width = 41, stride = 64;
    auto z = random_values<T>(3 * stride, 1, 3);
    const auto raw = z;
    std::vector<T> lse(3), over(3), top(3), entropy(3);
    t->weights(T{})({.z = z.data(),
                     .rows = 3,
                     .stride = stride,
                     .width = width,
                     .visible = 38,
                     .step = 1,
                     .scale = 1,
                     .softcap = 4,
                     .log_sum_exp = lse.data(),
                     .over_sum = over.data(),
                     .max_logit = top.data(),
                     .entropy = entropy.data()});
    for (std::int64_t row = 0; row < 3; ++row) {
      double total = 0, disorder = 0;
      for (std::int64_t j = 0; j < 38 + row; ++j) total += std::exp(4 * std::tanh(raw[row * stride + j] / 4));
      for (std::int64_t j = 0; j < width; ++j) {
        const double x = 4 * std::tanh(raw[row * stride + j] / 4), p = j < 38 + row ? std::exp(x) / total : 0;
        disorder -= p > 0 ? p * std::log(p) : 0;
        ASSERT_NEAR(z[row * stride + j] * over[row], p, tolerance<T>);
      }
      ASSERT_NEAR(lse[row], std::log(total), 10 * tolerance<T>);
      ASSERT_NEAR(entropy[row], disorder, 10 * tolerance<T>);
    }
  }
}

}  // namespace
}  // namespace plumb::testing
