// The promises of Plumb, each as a command that tries to break it: `plumb check NAME [--full]`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace plumb::lab {

struct CheckResult {
  std::string name;
  std::int64_t passed = 0, tried = 0;
  std::string unit;     // what was tried: "thread counts"
  std::string failure;  // the first one, in words
  bool holds() const { return tried > 0 && passed == tried; }
};

struct CheckOptions {
  bool full = false;    // the long sizes
  std::string plumb;    // the command line to run and kill; empty = this executable
  std::string scratch;  // a folder for runs; empty = a temporary one
};

struct Check {
  std::string name, help;
  CheckResult (*run)(const CheckOptions&);
};
const std::vector<Check>& checks();

CheckResult check_threads(const CheckOptions& o);           // same bits for 1, 2, 3, 4, 8 (16) threads
CheckResult check_accumulation(const CheckOptions& o);      // 8 rows = 4 + 4 = 8 x 1, ragged lengths too
CheckResult check_rows(const CheckOptions& o);              // a row alone = padded = in a batch = decoded with a cache
CheckResult check_surroundings(const CheckOptions& o);      // folder, time zone, locale, user: the same bytes
CheckResult check_instruction_sets(const CheckOptions& o);  // AVX2 = AVX-512, in f32
CheckResult check_kill(const CheckOptions& o);              // SIGKILL at random moments, resumed, equal to the end

}  // namespace plumb::lab
