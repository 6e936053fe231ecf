// Which reference values no test claims yet: a list to shorten, so that none is forgotten in silence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/support/golden.h"

namespace plumb::golden {
namespace {

namespace fs = std::filesystem;

fs::path tests_folder() { return fs::path(PLUMB_SOURCE_DIR) / "tests"; }

const std::map<std::string, std::set<std::string>> unclaimed{
    {"p29_small_scale_proxies", {"attention_logit_forecast", "qk_clip", "sigma_reparam", "skip_step"}},
    {"p00c_supervised_baselines", {"generalized_jsd", "kd", "reward_bt"}},
};

std::string all_tests() {
  std::stringstream text;
  for (const auto& entry : fs::recursive_directory_iterator(tests_folder()))
    if (entry.path().filename().string().starts_with("test_golden") && entry.path().stem() != "test_golden_claims")
      text << std::ifstream(entry.path()).rdbuf();
  return text.str();
}

TEST(Golden, EveryObjectiveIsClaimedByATestOrListedAsWithoutOne) {
  const std::string tests = all_tests();
  for (const auto& [file, without] : unclaimed) {
    std::set<std::string> left;
    for (const auto& objective : objectives(file))
      if (tests.find('"' + objective + '"') == std::string::npos) left.insert(objective);
    EXPECT_EQ(left, without) << file;
  }
}

TEST(Golden, EveryFileIsListed) {
  for (const auto& entry : fs::directory_iterator(tests_folder() / "golden")) {
    const std::string name = entry.path().stem();
    EXPECT_TRUE(unclaimed.contains(name) || name == "gpt_against_pytorch") << name;
  }
}

}  // namespace
}  // namespace plumb::golden
