// The list of checks, the counting of cases, and failed cases as files.
#include "lab/check/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core/errors.h"
#include "core/fields.h"
#include "core/files/atomic_file.h"
#include "lab/config/read.h"

namespace plumb::lab {
namespace {

std::vector<Check>& all() {
  static std::vector<Check> list;
  return list;
}

int number_of(const std::string& figure) {
  int n = 0;
  std::from_chars(figure.data() + 1, figure.data() + figure.size(), n);
  return n;
}

struct CaseFile {
  std::string check;
  std::int64_t seed = 0, number = 0;
  bool full = false;
  void fields(Fields& f) {
    f("check", check).help("name of the check");
    f("seed", seed).at_least(0).help("of everything that is drawn");
    f("case", number).at_least(0).help("the case that failed");
    f("full", full).help("in the long sizes");
  }
};

}  // namespace

void Cases::note(std::int64_t number, bool passed, const std::string& what) {
  if (!wants(number)) return;
  ++tried_;
  if (passed) {
    ++passed_;
  } else if (!failed_) {
    failure_ = what;
    failed_ = number;
  }
}

CheckResult Cases::result() const {
  return {.value = fmt::format("{}/{}", passed_, tried_),
          .unit = unit_,
          .holds = tried_ > 0 && passed_ == tried_,
          .skipped = {},
          .failure = tried_ == 0 ? "there is no such case" : failure_,
          .failed = failed_,
          .details = details_};
}

CheckRegistration::CheckRegistration(Check check) {
  auto& list = all();
  const auto before = [](const Check& a, const Check& b) {
    return std::pair(number_of(a.figure), a.name) < std::pair(number_of(b.figure), b.name);
  };
  list.insert(std::ranges::upper_bound(list, check, before), std::move(check));
}

CheckResult run_among_all(const Check& c, const CheckOptions& o) {
  if (c.own_build && !o.full) return {.skipped = "needs --full and a source tree"};
  return c.run(o);
}

const std::vector<Check>& checks() { return all(); }

const Check& check_of(const std::string& n) {
  std::vector<std::string> names{"all"};
  for (const auto& c : all()) {
    if (c.name == n || c.figure == n) return c;
    names.push_back(c.name);
  }
  const std::string near = nearest_name(n, names);
  throw UserError(
      fmt::format("there is no check \"{}\"", n), "check",
      near.empty() ? fmt::format("use one of {}", fmt::join(names, ", ")) : fmt::format("did you mean \"{}\"?", near));
}

void write_case(const std::string& path, const CheckCase& c) {
  const CaseFile file{.check = c.name,
                      .seed = static_cast<std::int64_t>(c.options.seed),
                      .number = c.options.only.value_or(0),
                      .full = c.options.full};
  files::write_atomically(path, resolved_toml(file));
}

CheckCase read_case(const std::string& path) {
  CaseFile file;
  read(load_config(path, {}), file);
  CheckCase c{.name = file.check, .options = {}};
  c.options.full = file.full;
  c.options.seed = static_cast<std::uint64_t>(file.seed);
  c.options.only = file.number;
  return c;
}

}  // namespace plumb::lab
