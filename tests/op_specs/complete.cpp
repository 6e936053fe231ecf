// Every operator that the headers declare has a spec, and every spec an operator.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "tests/op_specs/spec.h"

namespace plumb::specs {
namespace {

// "const Var& a, double s" -> "Var,double"
std::string types_of(const std::string& parameters) {
  std::string types;
  const std::regex one(R"((?:^|,)\s*(?:const\s+)?(?:std::)?(\w+))");
  for (auto it = std::sregex_iterator(parameters.begin(), parameters.end(), one); it != std::sregex_iterator(); ++it)
    types += (types.empty() ? "" : ",") + (*it)[1].str();
  return types;
}

// Names of the declared operators; overloaded ones with their types: operator-(Var,double).
std::set<std::string> declared() {
  std::map<std::string, std::vector<std::string>> found;
  for (const char* header : {"/autograd/ops.h", "/autograd/checkpoint.h"}) {
    std::ifstream file(std::string(PLUMB_SOURCE_DIR) + header);
    EXPECT_TRUE(file) << header;
    const std::regex declaration(R"(^(?:Var|Tensor) (operator[^\s(]+|\w+)\((.*?)\)\s*(?:;|\{$))");
    std::smatch m;
    for (std::string line, whole; std::getline(file, line);) {
      whole += line.substr(0, line.find("//"));  // a declaration may go over several lines
      while (!whole.empty() && whole.back() == ' ') whole.pop_back();
      if (std::regex_search(whole, m, declaration)) found[m[1]].push_back(types_of(m[2]));
      const bool goes_on = whole.ends_with(',') || whole.ends_with('(');
      whole = goes_on ? whole + ' ' : std::string();
    }
  }
  std::set<std::string> names;
  for (const auto& [name, overloads] : found)
    for (const auto& types : overloads) names.insert(overloads.size() > 1 ? name + "(" + types + ")" : name);
  return names;
}

TEST(Specs, CoverEveryOperatorOnce) {
  std::set<std::string> specified;
  for (const auto& s : all_specs()) EXPECT_TRUE(specified.insert(s.name).second) << s.name << " has two specs";
  const auto operators = declared();
  EXPECT_GT(operators.size(), 60u);
  for (const auto& name : operators)
    EXPECT_TRUE(specified.contains(name)) << name << " has no spec under tests/op_specs";
  for (const auto& name : specified)
    EXPECT_TRUE(operators.contains(name)) << name << " is specified, but no header declares it";
}

TEST(Specs, SayAtLeastOneThing) {
  for (const auto& named : all_specs()) {
    Spec s;
    named.fill(s);
    EXPECT_FALSE(s.cases().empty()) << named.name;
  }
}

}  // namespace
}  // namespace plumb::specs
