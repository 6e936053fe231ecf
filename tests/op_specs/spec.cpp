// How specs are filled, and the tests that each of them becomes.
#include "tests/op_specs/spec.h"

#include <gtest/gtest.h>

#include "tests/op_specs/checks.h"

namespace plumb::specs {

double hash_uniform(std::uint64_t i) {  // splitmix64
  std::uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

Spec& Spec::op(Function f, Reference r) {
  f_ = std::move(f);
  reference_ = std::move(r);
  return *this;
}

Spec& Spec::domains(std::vector<Range> ranges) {
  ranges_ = std::move(ranges);
  return *this;
}
Spec& Spec::dtypes(std::vector<DType> types) {
  dtypes_ = std::move(types);
  return *this;
}
Spec& Spec::tolerance(const Tolerance& t) {
  tolerance_ = t;
  return *this;
}
Spec& Spec::no_gradient() {
  orders_ = 0;
  return *this;
}
Spec& Spec::one_order() {
  orders_ = 1;
  return *this;
}

Tensor Spec::random(const Shape& shape, std::size_t input) {
  const Range r = ranges_[std::min(input, ranges_.size() - 1)];
  std::vector<double> values(static_cast<std::size_t>(numel(shape)));
  for (auto& v : values) v = r.low + (r.high - r.low) * hash_uniform(drawn_++);
  return Tensor::from(values, shape);
}

Tensor Spec::random_index(const Shape& shape, std::int64_t low, std::int64_t high) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(numel(shape)));
  for (auto& v : values) v = low + static_cast<std::int64_t>(hash_uniform(drawn_++) * static_cast<double>(high - low));
  return Tensor::from(values, shape);
}

Spec& Spec::on(const std::string& label, const std::vector<Shape>& shapes) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) inputs.push_back(random(shapes[i], i));
  on_tensors(label, std::move(inputs));
  cases_.back().ranges = ranges_;
  return *this;
}

Spec& Spec::on_tensors(const std::string& label, std::vector<Tensor> inputs) {
  std::string text = label;
  for (const auto& t : inputs) text += " " + to_string(t.shape());
  cases_.push_back({text, std::move(inputs), f_, reference_, tolerance_, dtypes_});
  return *this;
}

Spec& Spec::large(const std::vector<Shape>& shapes) {
  on("large", shapes);
  cases_.back().large = true;
  return *this;
}

Spec& Spec::large_tensors(std::vector<Tensor> inputs) {
  on_tensors("large", std::move(inputs));
  cases_.back().large = true;
  return *this;
}

Spec& Spec::unary(std::function<Var(const Var&)> f, std::function<double(double)> r) {
  op([f](const Vars& v) { return f(v[0]); },
     [r](const Arrays& a) {
       Array out = a[0];
       for (auto& v : out.values) v = r(v);
       return out;
     });
  elementwise_ = true;
  for (const Shape& shape :
       {Shape{}, Shape{0}, Shape{1}, Shape{1, 1, 1}, Shape{3, 0, 2}, Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{67}})
    on("shape", {shape});
  return large({{41, 1031}});
}

Spec& Spec::binary(std::function<Var(const Var&, const Var&)> f, std::function<double(double, double)> r) {
  op([f](const Vars& v) { return f(v[0], v[1]); },
     [r](const Arrays& a) {
       return build(broadcast_shapes("reference", a[0].shape, a[1].shape), [&](const Dims& i) {
         return r(a[0].at(broadcast_index(a[0].shape, i)), a[1].at(broadcast_index(a[1].shape, i)));
       });
     });
  elementwise_ = true;
  const std::vector<std::pair<Shape, Shape>> pairs = {
      {{}, {}},         {{0}, {0}},          {{1}, {1}},         {{3, 0, 2}, {1, 1, 2}}, {{17}, {17}},
      {{3, 5}, {3, 5}}, {{3, 4}, {4}},       {{3, 4}, {3, 1}},   {{5, 1}, {1, 4}},       {{}, {2, 3}},
      {{2, 3, 4}, {}},  {{2, 1, 3}, {4, 1}}, {{1, 3}, {2, 1, 1}}};
  for (const auto& [a, b] : pairs) on("shapes", {a, b});
  large({{41, 1031}, {1031}});
  const Tensor x = random({3, 4});
  aliased_.push_back(
      {"one tensor twice",
       {x},
       [f](const Vars& v) { return f(v[0], v[0]); },
       [r](const Arrays& a) { return build(a[0].shape, [&](const Dims& i) { return r(a[0].at(i), a[0].at(i)); }); },
       tolerance_,
       dtypes_,
       false,
       ranges_});
  rejects({filled({4, 3}), filled({2, 3})}, "shapes [4,3] and [2,3] do not broadcast");
  return rejects({filled({2}, DType::f32), filled({2}, DType::f64)},
                 "mixes f32 [2] with f64 [2]; convert one with to()");
}

Spec& Spec::exact(std::vector<double> inputs, double expected) {
  points_.push_back({std::move(inputs), expected, f_});
  return *this;
}

Spec& Spec::at(std::initializer_list<double> points) {
  for (const double x : points) {
    Array a(Shape{}, x);
    exact({x}, reference_({a})[0] + 0.0);  // asks for no sign of zero
  }
  return *this;
}

Spec& Spec::rejects(std::vector<Tensor> inputs, const std::string& text) {
  return rejects_call([f = f_, inputs] { f(Vars(inputs.begin(), inputs.end())); }, text);
}

Spec& Spec::rejects_call(std::function<void()> call, const std::string& text) {
  rejections_.push_back({std::move(call), text});
  return *this;
}

Tensor filled(const Shape& shape, DType dtype) { return Tensor::full(shape, 1, dtype); }

std::vector<Named>& all_specs() {
  static std::vector<Named> specs;
  return specs;
}

namespace {

class SpecTest : public testing::Test {
 public:
  SpecTest(Fill fill, Check check) : fill_(fill), check_(check) {}
  void TestBody() override {
    Spec s;
    fill_(s);
    check_(s);
  }

 private:
  Fill fill_;
  Check check_;
};

}  // namespace

Registered::Registered(const char* name, Fill fill) {
  all_specs().push_back({name, fill});
  for (const auto& [title, check] : checks())
    testing::RegisterTest(name, title, nullptr, nullptr, __FILE__, __LINE__,
                          [fill, check = check]() -> testing::Test* { return new SpecTest(fill, check); });
}

}  // namespace plumb::specs
