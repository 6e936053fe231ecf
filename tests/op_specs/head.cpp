// The head: log-probabilities of labels and log Z, fused and in plain operators.
#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

using Head = Var (*)(const Var&, const Var&, const Var&, const Tensor&, const HeadOptions&);

// inputs: x, w, labels, and perhaps a bias.
Array scored(const Arrays& a, const HeadOptions& o) {
  const Array &x = a[0], &w = a[1], &labels = a[2];
  const bool packed = w.shape.size() == 3;
  const std::int64_t count = labels.count(), d = w.size(-1), vocab = w.size(-2), runs = packed ? w.size(0) : 1;
  Shape to = labels.shape;
  to.insert(0, 2);
  Array out(to);
  for (std::int64_t i = 0; i < count; ++i) {
    if (labels[i] < 0) continue;
    const std::int64_t run = i / (count / runs);
    std::vector<double> z;
    double top = -inf;
    for (std::int64_t v = 0; v < vocab; ++v) {
      double y = o.scale * dot(d, [&](std::int64_t k) { return x[i * d + k] * w[(run * vocab + v) * d + k]; });
      if (a.size() > 3) y += a[3][run * vocab + v];
      if (o.softcap > 0) y = o.softcap * std::tanh(y / o.softcap);
      z.push_back(y);
      top = std::max(top, y);
    }
    const double log_z =
        top + std::log(dot(vocab, [&](std::int64_t v) { return std::exp(z[static_cast<std::size_t>(v)] - top); }));
    out[i] = z[static_cast<std::size_t>(labels[i])] - log_z;
    out[count + i] = log_z;
  }
  return out;
}

void head_cases(Spec& s, Head f, const std::vector<DType>& dtypes, const Tolerance& t) {
  s.tolerance(t).dtypes(dtypes);
  const auto with = [&](const std::string& label, const Shape& x, const Shape& w, bool bias, const HeadOptions& o) {
    s.op([f, o](const Vars& v) { return f(v[0], v[1], v.size() > 3 ? v[3] : Var(), v[2].value(), o); },
         [o](const Arrays& a) { return scored(a, o); });
    Shape lead = x, bias_shape = w;
    lead.erase(x.size() - 1);
    bias_shape.erase(w.size() - 1);
    std::vector<Tensor> inputs{s.random(x), s.random(w), s.random_index(lead, -1, w[w.size() - 2])};
    if (bias) inputs.push_back(s.random(bias_shape));
    s.on_tensors(label, std::move(inputs));
  };
  for (const bool bias : {false, true}) {
    with("one row", {3}, {5, 3}, bias, {});
    with("rows", {4, 3}, {5, 3}, bias, {});
    with("examples of rows", {2, 3, 2}, {4, 2}, bias, {.scale = 0.6});
    with("softcap", {2, 3, 2}, {4, 2}, bias, {.scale = 1.5, .softcap = 2});
    with("one label", {3, 2}, {1, 2}, bias, {});
    with("no rows", {0, 3}, {4, 3}, bias, {});
    with("no tokens", {2, 0, 3}, {4, 3}, bias, {});
    with("packed", {2, 3, 2}, {2, 4, 2}, bias, {});
    with("packed examples", {2, 2, 3, 2}, {2, 3, 2}, bias, {.softcap = 3});
  }
  const auto big = [&](const Shape& x, const Shape& w) {
    Shape lead = x;
    lead.erase(x.size() - 1);
    s.op([f](const Vars& v) { return f(v[0], v[1], {}, v[2].value(), {.scale = 0.2}); },
         [](const Arrays& a) { return scored(a, {.scale = 0.2}); });
    s.large_tensors({s.random(x), s.random(w), s.random_index(lead, -3, w[w.size() - 2])});
  };
  big({3, 41, 17}, {301, 17});
  big({2, 2, 19, 24}, {2, 67, 24});
  const Tensor x = filled({4, 3}), w = filled({5, 3});
  const auto labels = [](std::initializer_list<std::int64_t> n) { return Tensor::of<std::int64_t>(n); };
  const auto refuses = [&](const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& labels,
                           const std::string& text) {
    s.rejects_call([=] { f(x, w, bias.defined() ? Var(bias) : Var(), labels, {}); }, text);
  };
  refuses(x, filled({5, 4}), {}, labels({0, 1, 2, 3}), "[token_logprobs] input [4,3] does not fit head [5,4]");
  refuses(x, w, {}, labels({0, 1}), "[token_logprobs] labels [2] do not fit input [4,3]");
  refuses(x, w, {}, labels({0, 1, 2, 5}), "[token_logprobs] index 5 at position 3 is outside");
  refuses(x, w, filled({4}), labels({0, 1, 2, 3}), "[token_logprobs] bias [4] does not fit head [5,3]");
  refuses(x, filled({0, 3}), {}, labels({-1, -1, -1, -1}), "[token_logprobs] the head [0,3] has no rows");
  refuses(filled({3, 2, 3}), filled({2, 5, 3}), {}, Tensor::zeros({3, 2}, DType::i64),
          "[token_logprobs] input [3,2,3] does not fit head [2,5,3]");
  refuses(x, w, {}, filled({4}), "[token_logprobs] needs i64 indices, not f32");
  refuses(x, w, filled({5}, DType::bf16), labels({0, 1, 2, 3}), "[token_logprobs] mixes f32 [4,3] with bf16 [5]");
  refuses(x, filled({5, 3}, DType::f64), {}, labels({0, 1, 2, 3}), "[token_logprobs] mixes f32 [4,3] with f64 [5,3]");
}

}  // namespace

OP_SPEC("token_logprobs") {
  head_cases(s, token_logprobs, {DType::f64, DType::f32}, {.f64 = 1e-12, .f32_ulps = 16, .of_largest = true});
}

OP_SPEC("token_logprobs_composed") {
  head_cases(s, token_logprobs_composed, {DType::f64, DType::f32}, {.f64 = 1e-12, .f32_ulps = 16, .of_largest = true});
}

}  // namespace plumb::specs
