// The transformer, its objective and all its gradients against an independent framework: what PyTorch computed in f64
// from the same weights (tests/peers/gpt_in_pytorch.py, which also compares larger ones).
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

#include "tests/peers/gpt_cases.h"

namespace plumb::peers {
namespace {

using nlohmann::json;

json reference() {
  std::ifstream file(std::string(PLUMB_SOURCE_DIR) + "/tests/golden/gpt_against_pytorch.json");
  return json::parse(file).at("cases");
}

// Norm of the difference over norm.
double distance(const Tensor& got, const json& want) {
  const auto a = got.to_vector<double>(), b = want.get<std::vector<double>>();
  if (a.size() != b.size()) return INFINITY;
  double apart = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) apart += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
  return std::sqrt(apart) / std::max(std::sqrt(size), 1e-300);
}

class AgainstPyTorch : public testing::TestWithParam<std::size_t> {};

TEST_P(AgainstPyTorch, LogitsLossAndEveryGradient) {
  const auto c = gpt_cases(1).at(GetParam());
  const json want = reference().at(GetParam());
  ASSERT_EQ(want.at("name"), c.name);
  for (const auto& [dtype, allowed] : {std::pair{DType::f64, 1e-10}, std::pair{DType::f32, 1e-5}}) {
    SCOPED_TRACE(c.name + ", " + name_of(dtype));
    const auto got = answer_of(c, dtype);
    EXPECT_LE(std::abs(got.loss - want.at("loss").get<double>()), allowed * std::abs(want.at("loss").get<double>()));
    EXPECT_LE(distance(got.logits, want.at("logits")), allowed);
    ASSERT_EQ(got.grads.size(), want.at("grads").size());
    for (const auto& [name, grad] : got.grads) EXPECT_LE(distance(grad, want.at("grads").at(name)), allowed) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Gpt, AgainstPyTorch, testing::Range(std::size_t{0}, gpt_cases(1).size()));

TEST(AgainstPyTorch, NoCaseIsLeftOut) { EXPECT_EQ(reference().size(), gpt_cases(1).size()); }

}  // namespace
}  // namespace plumb::peers
