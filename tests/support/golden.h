// Reference values of tests/golden/*.json. Every case runs in f64 (1e-9) and f32 (1e-4), and no field of it goes unseen:
//   golden::for_each("p29_small_scale_proxies", "weight_norm", [](golden::Case& c) {
//     const Var v = c.leaf("v"); ...; c.expect("weight", w.value()); c.expect_loss(loss.item()); c.expect_grad("v", v);
//   });
// A hyper-parameter, input, metric or gradient that the test did not ask for fails it; not_ours() names, for all to see
// (tests/alignment/test_golden_claims.cpp), what Plumb does not have yet.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/var.h"

namespace plumb::golden {

struct Array {
  Shape shape;
  bool integer = false;
  std::vector<double> data;
};

struct Content {  // of one case, as the file has it
  std::string objective, name;
  std::map<std::string, std::string> texts;            // hyper-parameters that are words
  std::map<std::string, std::vector<double>> numbers;  // the others; a list or one number
  std::map<std::string, Array> inputs, metrics, grads;
  double loss = 0;
};

class Case {
 public:
  Case(const Content& content, DType dtype) : content_(content), dtype_(dtype) {}

  DType dtype() const { return dtype_; }
  std::string name() const;

  double number(const std::string& hyper);
  std::vector<double> list(const std::string& hyper);
  bool flag(const std::string& hyper) { return number(hyper) != 0; }
  std::string text(const std::string& hyper);
  template <class E>
  E choice(const std::string& hyper, const std::map<std::string, E>& all) {
    const auto found = all.find(text(hyper));
    if (found == all.end()) return unknown(hyper), E{};
    return found->second;
  }
  void only_says_how(const std::string& hyper) { seen_.insert(hyper); }  // the inputs were made

  bool has(const std::string& input) const { return content_.inputs.contains(input); }
  Tensor input(const std::string& name);  // in the dtype of the case, or i64
  Var leaf(const std::string& name) { return Var::leaf(input(name), {}, name); }

  void expect_loss(double got);
  void expect(const std::string& metric, const Tensor& got);
  void expect(const std::string& metric, double got) { expect(metric, Tensor::scalar(got, DType::f64)); }
  void expect_grad(const std::string& input, const Var& leaf);
  void not_ours(const std::string& field) { seen_.insert(field); }
  void whole_case_is_not_ours() { skipped_ = true; }

  void finish() const;

 private:
  void unknown(const std::string& hyper) const;
  void compare(const std::string& what, const std::vector<double>& got, const std::vector<double>& want) const;

  const Content& content_;
  DType dtype_;
  std::set<std::string> seen_;
  bool skipped_ = false;
};

std::vector<Content> read_contents(std::string_view text);  // UserError where it is no golden file
std::vector<std::string> objectives(const std::string& file);
const std::vector<Content>& contents(const std::string& file);
void for_each(const std::string& file, const std::string& objective, const std::function<void(Case&)>& check);

}  // namespace plumb::golden
