// Reads the golden files and compares.
#include "tests/support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>

#include "core/files/atomic_file.h"

namespace plumb::golden {
namespace {

using nlohmann::json;

// JSON has no words for them: "nan", "inf", "-inf".
double number_of(const json& x) {
  if (x.is_boolean()) return x.get<bool>() ? 1 : 0;
  if (!x.is_string()) return x.get<double>();
  const auto& word = x.get_ref<const std::string&>();
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size())
    throw UserError("\"" + word + "\" is no number", "golden file");
  return value;
}

Array array_of(const json& x) {
  Array a;
  if (!x.is_object()) return {{}, false, {number_of(x)}};
  const auto sizes = x.at("shape").get<std::vector<std::int64_t>>();
  for (const auto n : sizes) a.shape.push_back(n);
  a.integer = x.at("dtype") == "i64";
  for (const auto& v : x.at("data")) a.data.push_back(number_of(v));
  std::int64_t count = 1;
  for (const auto n : sizes) {
    if (n < 0 || __builtin_mul_overflow(count, n, &count))
      throw UserError("a shape has an impossible size", "golden file");
  }
  if (count != static_cast<std::int64_t>(a.data.size()))
    throw UserError("a shape differs from its data", "golden file");
  return a;
}

Content content_of(const json& c) {
  Content out{.objective = c.at("objective"),
              .name = c.at("case"),
              .texts = {},
              .numbers = {},
              .inputs = {},
              .metrics = {},
              .grads = {},
              .loss = number_of(c.at("expected").at("loss"))};
  for (const auto& [key, value] : c.at("hyper").items()) {
    if (value.is_string()) out.texts[key] = value;
    else if (value.is_array())
      for (const auto& v : value) out.numbers[key].push_back(number_of(v));
    else out.numbers[key] = {number_of(value)};
  }
  for (const auto& [key, value] : c.at("inputs").items()) out.inputs[key] = array_of(value);
  for (const auto& [key, value] : c.at("expected").at("metrics").items()) out.metrics[key] = array_of(value);
  for (const auto& [key, value] : c.at("expected").at("grads").items()) out.grads[key] = array_of(value);
  return out;
}

template <class M>
const typename M::mapped_type& at(const M& map, const std::string& key, const std::string& where) {
  const auto found = map.find(key);
  if (found == map.end()) throw Bug(fmt::format("{} has no {}", where, key));
  return found->second;
}

}  // namespace

std::vector<Content> read_contents(std::string_view text) {
  try {
    std::vector<Content> contents;
    const json whole = json::parse(text);
    for (const auto& c : whole.at("cases")) contents.push_back(content_of(c));
    return contents;
  } catch (const json::exception& e) {
    throw UserError(e.what(), "golden file");
  }
}

const std::vector<Content>& contents(const std::string& file) {
  static std::map<std::string, std::vector<Content>> all;
  auto& held = all[file];
  if (held.empty()) held = read_contents(files::read_text(PLUMB_SOURCE_DIR "/tests/golden/" + file + ".json"));
  return held;
}

std::vector<std::string> objectives(const std::string& file) {
  std::set<std::string> all;
  for (const auto& c : contents(file)) all.insert(c.objective);
  return {all.begin(), all.end()};
}

void for_each(const std::string& file, const std::string& objective, const std::function<void(Case&)>& check) {
  int found = 0;
  for (const auto& content : contents(file)) {
    if (content.objective != objective) continue;
    ++found;
    for (const DType dtype : {DType::f64, DType::f32}) {
      Case c(content, dtype);
      SCOPED_TRACE(c.name());
      check(c);
      c.finish();
    }
  }
  EXPECT_GT(found, 0) << file << " has no case of " << objective;
}

std::string Case::name() const {
  return fmt::format("{} {} {}", content_.objective, content_.name, plumb::name_of(dtype_));
}

double Case::number(const std::string& hyper) {
  seen_.insert(hyper);
  return at(content_.numbers, hyper, name()).at(0);
}

std::vector<double> Case::list(const std::string& hyper) {
  seen_.insert(hyper);
  return at(content_.numbers, hyper, name());
}

std::string Case::text(const std::string& hyper) {
  seen_.insert(hyper);
  return at(content_.texts, hyper, name());
}

void Case::unknown(const std::string& hyper) const {
  ADD_FAILURE() << "no test knows " << hyper << " = " << at(content_.texts, hyper, name());
}

Tensor Case::input(const std::string& input) {
  seen_.insert(input);
  const Array& a = at(content_.inputs, input, name());
  return Tensor::from(a.data, a.shape).to(a.integer ? DType::i64 : dtype_);
}

void Case::expect_loss(double got) {
  seen_.insert("loss");
  compare("loss", {got}, {content_.loss});
}

void Case::expect(const std::string& metric, const Tensor& got) {
  seen_.insert(metric);
  const Array& want = at(content_.metrics, metric, name());
  EXPECT_EQ(got.shape(), want.shape) << metric;
  compare(metric, got.to_vector<double>(), want.data);
}

void Case::expect_grad(const std::string& input, const Var& leaf) {
  seen_.insert("gradient of " + input);
  const Array& want = at(content_.grads, input, name());
  EXPECT_EQ(leaf.shape(), want.shape) << "gradient of " << input;
  compare("gradient of " + input, leaf.grad().to_vector<double>(), want.data);
}

// Relative to each number, and to the largest of its tensor where a number is a small remainder of large ones. In f32
// what cancels among numbers of order one leaves 1e-6.
void Case::compare(const std::string& what, const std::vector<double>& got, const std::vector<double>& want) const {
  ASSERT_EQ(got.size(), want.size()) << what;
  const bool wide = dtype_ == DType::f64;
  double largest = 0;
  for (const double x : want) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double allowed = wide ? 1e-9 * std::abs(want[i]) + 1e-12 : 1e-4 * std::abs(want[i]) + 1e-5 * largest + 1e-6;
    EXPECT_NEAR(got[i], want[i], allowed) << what << " at " << i;
  }
}

void Case::finish() const {
  if (skipped_) return;
  std::vector<std::string> all{"loss"};
  for (const auto& [key, value] : content_.texts) all.push_back(key);
  for (const auto& [key, value] : content_.numbers) all.push_back(key);
  for (const auto& [key, value] : content_.inputs) all.push_back(key);
  for (const auto& [key, value] : content_.metrics) all.push_back(key);
  for (const auto& [key, value] : content_.grads) all.push_back("gradient of " + key);
  for (const auto& field : all) EXPECT_TRUE(seen_.contains(field)) << "the test never looked at " << field;
}

}  // namespace plumb::golden
