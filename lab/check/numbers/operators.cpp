// The operator specs, where they were built: their program is run, and its cases counted.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/files/atomic_file.h"
#include "lab/check/child.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

// The first failure in a report of GoogleTest, or nothing.
std::string first_failure(const nlohmann::json& report) {
  for (const auto& suite : report["testsuites"])
    for (const auto& test : suite["testsuite"])
      if (test.contains("failures"))
        return fmt::format("{}.{}: {}", suite["name"].get<std::string>(), test["name"].get<std::string>(),
                           test["failures"][0]["failure"].get<std::string>());
  return {};
}

CheckResult check_operators(const CheckOptions& o) {
  const fs::path specs = fs::path(plumb_of(o)).parent_path() / "tests" / "test_op_specs";
  if (!fs::exists(specs)) return {.skipped = "the specs are not built beside this plumb"};
  const Workplace work(o);
  const std::string report = work / "specs.json";
  std::vector<std::string> variables{"GTEST_OUTPUT=json:" + report, "GTEST_FILTER=*"};
  variables.push_back(o.full ? "PLUMB_NIGHTLY=1" : "PLUMB_NIGHTLY=");
  const bool passed = finish(spawn({specs.string()}, variables), 0);
  if (!fs::exists(report)) return {.failure = fmt::format("{} ended without a report", specs.string())};
  const auto json = nlohmann::json::parse(files::read_text(report));
  return {.value = json.value("cases", "0"),
          .unit = "cases of operators",
          .holds = passed && json.value("failures", 1) == 0,
          .failure = first_failure(json)};
}

const CheckRegistration registered({.figure = "R7",
                                    .name = "operators",
                                    .help = "every operator: values, gradients twice, layouts, special values, repeats",
                                    .run = check_operators});

}  // namespace
}  // namespace plumb::lab
