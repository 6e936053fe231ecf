// What an operator promises, said once: OP_SPEC("name") { ... } fills a Spec. From it come the tests of checks.cpp (values
// in each dtype, layouts, first and second gradients, repeats, threads, special points) and its error texts. An operator
// of autograd/ops.h without a spec fails the suite (complete.cpp).
#pragma once

#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tests/op_specs/array.h"

namespace plumb::specs {

using Vars = std::vector<Var>;
using Arrays = std::vector<Array>;
using Reference = std::function<Array(const Arrays&)>;

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// How far from the reference, which is evaluated at the same rounded inputs: relative in f64, in units of the last place
// otherwise; of each value, or of the largest one (sums whose terms cancel).
struct Tolerance {
  double f64 = 1e-12, f32_ulps = 4, bf16_ulps = 0.51;
  bool of_largest = false;
};

struct Range {
  double low = -2, high = 2;
};

struct Case {
  std::string label;
  std::vector<Tensor> inputs;  // f64, and integer ones (indices, masks), which stay as they are
  Function f;
  Reference reference;
  Tolerance tolerance;
  std::vector<DType> dtypes;
  bool large = false;              // enough work for several threads; too much for difference quotients
  std::vector<Range> ranges = {};  // of inputs that may be drawn again; empty: these very values
};

struct Point {
  std::vector<double> inputs;
  double expected;
  Function f;
};

struct Rejection {
  std::function<void()> call;
  std::string text;
};

class Spec {
 public:
  // The operator and its reference, from here on.
  Spec& op(Function f, Reference r);
  // Elementwise operators: the usual shapes, broadcast pairs for two inputs, one tensor as both.
  Spec& unary(std::function<Var(const Var&)> f, std::function<double(double)> r);
  Spec& binary(std::function<Var(const Var&, const Var&)> f, std::function<double(double, double)> r);

  // Where inputs lie, from here on; the last one holds for further inputs.
  Spec& domain(double low, double high) { return domains({{low, high}}); }
  Spec& domains(std::vector<Range> ranges);
  Spec& dtypes(std::vector<DType> types);
  Spec& tolerance(const Tolerance& t);

  // Inputs of these shapes, or these very inputs.
  Spec& on(const std::string& label, const std::vector<Shape>& shapes);
  Spec& on_tensors(const std::string& label, std::vector<Tensor> inputs);
  Spec& large(const std::vector<Shape>& shapes);
  Spec& large_tensors(std::vector<Tensor> inputs);

  // Values at one point of single numbers, in f64 and f32. An expected -0.0 asks for the sign too.
  Spec& exact(std::vector<double> inputs, double expected);
  Spec& at(std::initializer_list<double> points);  // of one input: what the reference says

  Spec& rejects(std::vector<Tensor> inputs, const std::string& text);
  Spec& rejects_call(std::function<void()> call, const std::string& text);

  Spec& no_gradient();  // comparisons
  Spec& one_order();    // no second gradient; the operator's text says what to use

  Tensor random(const Shape& shape, std::size_t input = 0);
  Tensor random_index(const Shape& shape, std::int64_t low, std::int64_t high);  // low <= entries < high

  // Whether each entry of the result depends on the entries of the inputs at its place alone.
  bool elementwise() const { return elementwise_; }
  const std::vector<Case>& cases() const { return cases_; }
  const std::vector<Case>& aliased() const { return aliased_; }
  const std::vector<Point>& points() const { return points_; }
  const std::vector<Rejection>& rejections() const { return rejections_; }
  int orders() const { return orders_; }

 private:
  Function f_;
  Reference reference_;
  std::vector<Range> ranges_{{-2, 2}};
  std::vector<DType> dtypes_{DType::f64, DType::f32, DType::bf16};
  Tolerance tolerance_;
  std::vector<Case> cases_, aliased_;
  std::vector<Point> points_;
  std::vector<Rejection> rejections_;
  std::uint64_t drawn_ = 0;
  int orders_ = 2;
  bool elementwise_ = false;
};

using Fill = void (*)(Spec&);
struct Named {
  std::string name;
  Fill fill;
};
std::vector<Named>& all_specs();
struct Registered {
  Registered(const char* name, Fill fill);
};

double hash_uniform(std::uint64_t i);  // in [0, 1): the tests owe nothing to the library's random numbers
Tensor filled(const Shape& shape, DType dtype = DType::f32);  // ones, for errors about shapes and dtypes

}  // namespace plumb::specs

#define PLUMB_SPEC_JOIN2(a, b) a##b
#define PLUMB_SPEC_JOIN(a, b) PLUMB_SPEC_JOIN2(a, b)
#define OP_SPEC(name) \
  static void PLUMB_SPEC_JOIN(spec_, __LINE__)(::plumb::specs::Spec & s); \
  static const ::plumb::specs::Registered PLUMB_SPEC_JOIN(entry_, __LINE__)(name, &PLUMB_SPEC_JOIN(spec_, __LINE__)); \
  static void PLUMB_SPEC_JOIN(spec_, __LINE__)([[maybe_unused]] ::plumb::specs::Spec & s)
