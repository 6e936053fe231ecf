// The promises of Plumb, each as a command that tries to break it: `plumb check NAME [--full]`. A check is one file
// lab/check/NAME.cpp that registers one value:
//   CheckResult check_rows(const CheckOptions& o) { Cases c(o, "rows"); ... return c.result(); }
//   const CheckRegistration registered({.figure = "R5", .name = "rows", .help = "...", .run = check_rows});
// A case is a number: what it does follows from (seed, number) alone, so that a failure can be run again by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plumb::lab {

struct CheckOptions {
  bool full = false;                   // the long sizes
  std::uint64_t seed = 11;             // of everything that is drawn
  std::optional<std::int64_t> only{};  // this case alone
  std::string plumb{};                 // the command line to run and kill; empty = this executable
  std::string scratch{};               // a folder for runs; empty = a temporary one
};

struct CheckResult {
  std::string value{}, unit{};  // "20/20", "kills survived"; "1.98", "ulps at most"
  bool holds = false;
  std::string skipped{};                 // why it could not be tried here; then `holds` says nothing
  std::string failure{};                 // the first one, in words
  std::optional<std::int64_t> failed{};  // its case
  std::vector<std::string> details{};    // what was measured, a line each
};

// Counts cases, and keeps the first that failed.
class Cases {
 public:
  Cases(const CheckOptions& o, std::string unit) : only_(o.only), unit_(std::move(unit)) {}

  bool wants(std::int64_t number) const { return !only_ || *only_ == number; }
  void note(std::int64_t number, bool passed, const std::string& what);
  // Or numbered as they come: the next one, whether it is wanted; then it is noted.
  bool next() { return wants(++last_); }
  void note(bool passed, const std::string& what) { note(last_, passed, what); }
  void detail(std::string line) { details_.push_back(std::move(line)); }
  CheckResult result() const;  // holds when something was tried and everything passed

 private:
  std::optional<std::int64_t> only_;
  std::string unit_;
  std::int64_t passed_ = 0, tried_ = 0, last_ = -1;
  std::string failure_;
  std::vector<std::string> details_;
  std::optional<std::int64_t> failed_;
};

struct Check {
  std::string figure, name, help;  // "R5", "rows", "a row has the same bits alone and in a batch"
  CheckResult (*run)(const CheckOptions&) = nullptr;
  bool own_build = false;  // builds for minutes: `all` runs it only in full, the tests never
};

struct CheckRegistration {
  explicit CheckRegistration(Check check);
};

CheckResult run_among_all(const Check& c, const CheckOptions& o);  // skipped where it takes a build and o is not full

const std::vector<Check>& checks();           // by figure
const Check& check_of(const std::string& n);  // UserError that suggests the nearest name

// A failed case as a file, and back: `plumb check replay FILE` runs it alone.
struct CheckCase {
  std::string name;
  CheckOptions options;
};
void write_case(const std::string& path, const CheckCase& c);
CheckCase read_case(const std::string& path);

}  // namespace plumb::lab
