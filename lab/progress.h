// How a long run shows itself: a bar on a terminal, a line every few seconds in a log, nothing when quiet. Writes to
// stderr, so that stdout holds results only.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>

namespace plumb {

// What is known at a step; NaN is left out.
struct ProgressState {
  std::int64_t step = 0;
  double loss = std::numeric_limits<double>::quiet_NaN();
  double tokens_per_second = std::numeric_limits<double>::quiet_NaN();
  double share_of_peak = std::numeric_limits<double>::quiet_NaN();  // 0..1
  std::string note = {};                                            // words of its own: "2 running, 1 failed"
};

struct ProgressOptions {
  std::int64_t steps = 0;       // the last step; 0 where it is not known
  std::int64_t first_step = 0;  // where a resumed run starts: time left is judged from here
  bool quiet = false;
  double seconds_between_lines = 10;
  std::string label = "step";
  std::FILE* out = stderr;
  int width = -1;                      // columns of the bar's line: -1 asks the terminal, 0 means no terminal
  std::function<double()> clock = {};  // seconds; for tests
};

class Progress {
 public:
  explicit Progress(ProgressOptions options);
  ~Progress();  // ends the bar's line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const ProgressState& state);  // cheap: draws at most ten times a second
  void note(const std::string& line);       // a line of its own, above the bar; silent when quiet
  void finish();                            // the last state once more, and the time it took

 private:
  std::string line(const ProgressState& state, double now) const;
  void draw(const ProgressState& state, double now);
  void erase();

  ProgressOptions options_;
  bool bar_ = false, drawn_ = false, finished_ = false, any_ = false;
  double started_ = 0, last_ = 0;
  ProgressState state_;
};

// "3 s", "4 min 10 s", "2 h 05 min"; "12.3k"
std::string duration_text(double seconds);
std::string count_text(double count);

}  // namespace plumb
