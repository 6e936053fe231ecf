// Attention, fused and in plain operators, and rotary embedding.
#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

using Attend = Var (*)(const Var&, const Var&, const Var&, const AttentionOptions&);

// Weight of each key for query t of row b and head h.
std::vector<double> attention_weights(const Array& q, const Array& k, const AttentionOptions& o, std::int64_t b,
                                      std::int64_t t, std::int64_t h) {
  const std::int64_t queries = q.size(1), keys = k.size(1), d = q.size(3), shared = q.size(2) / k.size(2);
  const std::int64_t length =
      o.kv_length.defined() ? o.kv_length.to_vector<std::int64_t>()[static_cast<std::size_t>(b)] : keys;
  const std::int64_t seen = o.causal ? length - queries + t + 1 : length;
  std::vector<double> w(static_cast<std::size_t>(keys), 0.0);
  double top = -inf, z = 0;
  for (std::int64_t s = 0; s < seen; ++s) {
    double& x = w[static_cast<std::size_t>(s)];
    x = o.scale * dot(d, [&](std::int64_t i) { return q(b, t, h, i) * k(b, s, h / shared, i); });
    if (o.softcap > 0) x = o.softcap * std::tanh(x / o.softcap);
    top = std::max(top, x);
  }
  for (std::int64_t s = 0; s < seen; ++s) {
    double& x = w[static_cast<std::size_t>(s)];
    x = o.squared_relu
            ? std::max(x, 0.0) * std::max(x, 0.0) / std::sqrt(static_cast<double>(o.relu_length ? o.relu_length : keys))
            : std::exp(x - top);
    z += x;
  }
  for (auto& x : w)
    if (!o.squared_relu) x /= z;
  return w;
}

Array attended(const Arrays& a, const AttentionOptions& o) {
  const Array &q = a[0], &k = a[1], &v = a[2];
  Array out(q.shape);
  for (std::int64_t b = 0; b < q.size(0); ++b)
    for (std::int64_t t = 0; t < q.size(1); ++t)
      for (std::int64_t h = 0; h < q.size(2); ++h) {
        const auto w = attention_weights(q, k, o, b, t, h);
        for (std::int64_t i = 0; i < q.size(3); ++i)
          out(b, t, h, i) = dot(k.size(1), [&](std::int64_t s) {
            return w[static_cast<std::size_t>(s)] * v(b, s, h / (q.size(2) / k.size(2)), i);
          });
      }
  return out;
}

struct Sizes {
  std::int64_t b, t, s, h, hkv, d;
};

void attention_cases(Spec& s, Attend f, const std::vector<DType>& dtypes, const Tolerance& tolerance) {
  s.tolerance(tolerance).dtypes(dtypes);
  const auto with = [&](const std::string& label, const Sizes& z, const AttentionOptions& o, bool large = false) {
    s.op([f, o](const Vars& v) { return f(v[0], v[1], v[2], o); }, [o](const Arrays& a) { return attended(a, o); });
    const std::vector<Shape> shapes{{z.b, z.t, z.h, z.d}, {z.b, z.s, z.hkv, z.d}, {z.b, z.s, z.hkv, z.d}};
    if (large) s.large(shapes);
    else s.on(label, shapes);
  };
  const auto lengths = [](std::initializer_list<std::int64_t> n) { return Tensor::of<std::int64_t>(n); };
  with("one of everything", {1, 1, 1, 1, 1, 1}, {});
  with("plain", {2, 3, 3, 2, 2, 3}, {.scale = 0.7});
  with("odd sizes", {1, 5, 5, 1, 1, 7}, {.scale = 0.4});
  with("grouped heads", {1, 3, 3, 4, 2, 2}, {.scale = 0.7});
  with("one key head", {1, 2, 2, 3, 1, 2}, {.scale = 0.7});
  with("the last queries of a cache", {2, 2, 5, 1, 1, 3}, {.scale = 0.7});
  with("lengths of rows", {2, 2, 5, 2, 1, 2}, {.scale = 0.7, .kv_length = lengths({3, 5})});
  with("softcap", {1, 4, 4, 2, 2, 2}, {.scale = 1.3, .softcap = 1.5});
  with("squared relu", {1, 4, 4, 2, 1, 2}, {.scale = 0.7, .squared_relu = true});
  with("squared relu of a longer text", {1, 4, 4, 2, 1, 2}, {.scale = 0.7, .squared_relu = true, .relu_length = 9});
  with("squared relu with softcap and lengths", {2, 2, 4, 1, 1, 2},
       {.scale = 0.7, .softcap = 2, .squared_relu = true, .kv_length = lengths({2, 4})});
  with("both ways", {1, 3, 3, 2, 2, 2}, {.scale = 0.7, .causal = false});
  with("both ways with lengths", {2, 2, 4, 1, 1, 3}, {.scale = 0.7, .causal = false, .kv_length = lengths({2, 4})});
  with("no rows", {0, 3, 3, 2, 2, 2}, {});
  with("no queries", {2, 0, 3, 1, 1, 2}, {});
  with("", {2, 70, 70, 4, 2, 24}, {.scale = 0.2}, true);
  with("", {3, 33, 67, 2, 2, 40}, {.scale = 0.2, .softcap = 3, .kv_length = lengths({40, 67, 33})}, true);
  const Tensor q = filled({2, 3, 4, 8});
  s.rejects({q, filled({2, 3, 3, 8}), filled({2, 3, 3, 8})},
            "[attention] q [2,3,4,8], k [2,3,3,8] and v [2,3,3,8] do not fit");
  s.rejects({q, filled({2, 3, 0, 8}), filled({2, 3, 0, 8})},
            "[attention] q [2,3,4,8], k [2,3,0,8] and v [2,3,0,8] do not fit");
  s.rejects({q, filled({2, 3, 4, 6}), filled({2, 3, 4, 6})},
            "[attention] q [2,3,4,8], k [2,3,4,6] and v [2,3,4,6] do not fit");
  s.rejects({q, filled({3, 4, 8}), filled({3, 4, 8})}, "do not fit: [B,T,H,d], [B,S,Hkv,d] with H a multiple of Hkv");
  s.rejects({q, filled({2, 2, 4, 8}), filled({2, 2, 4, 8})}, "[attention] 3 queries cannot be the last of 2 keys");
  s.rejects({q, q, filled({2, 3, 4, 8}, DType::f64)}, "[attention] mixes f32 [2,3,4,8] with f64 [2,3,4,8]");
  const auto refuses = [&](const Tensor& kv_length, const std::string& text) {
    s.rejects_call([f, q, kv_length] { f(q, q, q, {.kv_length = kv_length}); }, text);
  };
  refuses(lengths({3}), "[attention] kv_length must be i64 [2], not i64 [1]");
  refuses(filled({2}), "[attention] kv_length must be i64 [2], not f32 [2]");
  refuses(lengths({3, 4}), "[attention] kv_length 4 at row 1 is outside [3, 3]");
}

}  // namespace

OP_SPEC("attention") {
  attention_cases(s, attention, {DType::f64, DType::f32}, {.f64 = 1e-12, .f32_ulps = 16, .of_largest = true});
}

OP_SPEC("attention_composed") {
  attention_cases(s, attention_composed, {DType::f64, DType::f32}, {.f64 = 1e-12, .f32_ulps = 16, .of_largest = true});
}

OP_SPEC("rope") {
  s.tolerance({.f64 = 1e-12, .f32_ulps = 8, .of_largest = true}).dtypes({DType::f64, DType::f32});
  const auto with = [&s](const std::string& label, const Shape& shape, const RopeOptions& o) {
    s.op([o](const Vars& v) { return rope(v[0], o); },
         [o](const Arrays& a) {
           Array out = a[0];
           const std::int64_t rotary = o.rotary ? o.rotary : out.size(3), half = rotary / 2;
           for_each_index(out.shape, [&](Dims i) {
             const std::int64_t pair = i[3] % std::max<std::int64_t>(half, 1);
             if (i[3] >= rotary) return;
             const double start =
                 o.start.defined()
                     ? static_cast<double>(o.start.to_vector<std::int64_t>()[static_cast<std::size_t>(i[0])])
                     : 0;
             const double angle = (start + static_cast<double>(i[1])) *
                                  std::pow(o.base, -2.0 * static_cast<double>(pair) / static_cast<double>(rotary));
             const double x = a[0](i[0], i[1], i[2], pair), y = a[0](i[0], i[1], i[2], pair + half);
             out.at(i) =
                 i[3] < half ? x * std::cos(angle) - y * std::sin(angle) : x * std::sin(angle) + y * std::cos(angle);
           });
           return out;
         });
    if (numel(shape) > 1000) s.large({shape});
    else s.on(label, {shape});
  };
  with("plain", {2, 3, 2, 4}, {});
  with("one", {1, 1, 1, 2}, {});
  with("a part", {1, 4, 2, 6}, {.base = 100, .rotary = 4});
  with("later starts", {2, 3, 1, 4}, {.start = Tensor::of<std::int64_t>({7, 100})});
  with("no rows", {0, 3, 2, 4}, {});
  with("no tokens", {2, 0, 2, 4}, {});
  with("", {3, 130, 4, 32}, {.base = 500});
  s.rejects_call([] { rope(filled({2, 3, 4}), {}); }, "[rope] needs [B,T,H,d], not [2,3,4]");
  s.rejects_call(
      [] {
        rope(filled({2, 3, 1, 5}), {});
      },
      "[rope] cannot rotate 5 of 5 entries: pairs need an even number that fits");
  s.rejects_call([] { rope(filled({2, 3, 1, 4}), {.rotary = 6}); }, "[rope] cannot rotate 6 of 4 entries");
  s.rejects_call(
      [] {
        rope(filled({2, 3, 1, 4}), {.start = Tensor::of<std::int64_t>({1})});
      },
      "[rope] start must be i64 [2], not i64 [1]");
  s.rejects_call(
      [] {
        rope(filled({2, 3, 1, 4}, DType::i64), {});
      },
      "[rope] needs a floating dtype, not i64 [2,3,1,4]");
}

}  // namespace plumb::specs
