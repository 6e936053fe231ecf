// Ranges and choices of fields, and the nearest name for a typo.
#include "core/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/errors.h"

namespace plumb {
namespace {

bool is_real(const FieldTarget& t) {
  return std::holds_alternative<double*>(t) || std::holds_alternative<std::vector<double>*>(t);
}

std::string in_words(double x, bool real) { return real ? fmt::format("{}", x) : fmt::format("{:.0f}", x); }

}  // namespace

std::string Field::type() const {
  static constexpr const char* names[] = {"number",          "true or false",    "text",         "integer", "choice",
                                          "list of numbers", "list of integers", "list of texts"};
  return names[target_.index()];
}

std::string Field::range() const {
  if (!choices_.empty()) return fmt::format("{}", fmt::join(choices_, " | "));
  const bool real = is_real(target_);
  std::string text;
  if (std::isfinite(low_)) text = (low_open_ ? "above " : "at least ") + in_words(low_, real);
  if (std::isfinite(high_)) {
    if (!text.empty()) text += ", ";
    text += (high_open_ ? "below " : "at most ") + in_words(high_, real);
  }
  return text;
}

std::optional<FieldProblem> Field::number_problem(double value, int element) const {
  const bool real = is_real(target_);
  if (!std::isfinite(value)) return FieldProblem{fmt::format("must be a finite number, not {}", value), element};
  const bool low_ok = low_open_ ? value > low_ : value >= low_, high_ok = high_open_ ? value < high_ : value <= high_;
  if (low_ok && high_ok) return {};
  return FieldProblem{fmt::format("must be {}, not {}", range(), in_words(value, real)), element};
}

std::optional<FieldProblem> Field::text_problem(const std::string& value, int element) const {
  if (choices_.empty() || std::find(choices_.begin(), choices_.end(), value) != choices_.end()) return {};
  return FieldProblem{fmt::format("must be one of {}, not \"{}\"", fmt::join(choices_, ", "), value), element};
}

std::optional<FieldProblem> Field::problem() const {
  if (const auto* x = std::get_if<double*>(&target_)) return number_problem(**x, -1);
  if (const auto* x = std::get_if<IntegerRef>(&target_)) return number_problem(static_cast<double>(x->get(x->at)), -1);
  if (const auto* x = std::get_if<std::string*>(&target_)) return text_problem(**x, -1);
  std::optional<FieldProblem> found;
  const auto each = [&](const auto& list, auto&& problem_of) {
    for (std::size_t i = 0; i < list.size() && !found; ++i) found = problem_of(list[i], static_cast<int>(i));
  };
  const auto number = [&](auto x, int i) { return number_problem(static_cast<double>(x), i); };
  const auto text = [&](const std::string& x, int i) { return text_problem(x, i); };
  if (const auto* x = std::get_if<std::vector<double>*>(&target_)) each(**x, number);
  if (const auto* x = std::get_if<std::vector<std::int64_t>*>(&target_)) each(**x, number);
  if (const auto* x = std::get_if<std::vector<std::string>*>(&target_)) each(**x, text);
  return found;
}

void check_fields(Fields& f, const std::string& what) {
  const auto refuse = [&](const std::string& name, const std::string& text, const std::string& hint = {}) {
    throw UserError(fmt::format("{}.{} {}", what, name, text), {}, hint);
  };
  for (auto& entry : f.entries()) {
    if (const auto* field = std::get_if<Field>(&entry)) {
      if (const auto p = field->problem())
        refuse(p->element < 0 ? field->name() : fmt::format("{}[{}]", field->name(), p->element), p->text);
    } else {
      const auto& section = std::get<FieldSection>(entry);
      Fields inner;
      section.visit(inner);
      check_fields(inner, section.name.empty() ? what : what + "." + section.name);
    }
  }
  for (const auto& rule : f.rules())
    if (const auto c = rule.complaint(); !c.text.empty()) refuse(rule.keys.front(), c.text, c.hint);
}

namespace {

// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours count one each.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before.swap(row);
    row.swap(next);
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  constexpr std::size_t longest = 64;  // a longer word is no typo of ours, and distance is quadratic
  if (name.empty() || name.size() > longest) return {};
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const auto& candidate : known) {
    if (const auto d = edit_distance(name, candidate); d < best_distance) best = candidate, best_distance = d;
  }
  if (!best.empty()) return best;
  for (const auto& candidate : known)  // "warm" for "warmup_steps"
    if (name.size() >= 3 && candidate.starts_with(name)) return candidate;
  return {};
}

}  // namespace plumb
