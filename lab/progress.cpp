// The bar and the lines.
#include "lab/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

namespace plumb {
namespace {

int columns_of(std::FILE* out) {
  const char* terminal = std::getenv("TERM");
  if (!::isatty(::fileno(out)) || (terminal && std::string(terminal) == "dumb")) return 0;
  winsize size{};
  return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string bar_text(double share, int width) {
  const int filled = std::clamp(static_cast<int>(share * width), 0, width);
  return "[" + std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(width - filled), '.') + "]";
}

}  // namespace

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return "?";
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto s = static_cast<std::int64_t>(seconds + 0.5);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
}

std::string count_text(double count) {
  if (!std::isfinite(count)) return "?";
  if (std::abs(count) < 999.5) return fmt::format("{:.0f}", count);
  if (std::abs(count) < 999.95e3) return fmt::format("{:.1f}k", count / 1e3);
  if (std::abs(count) < 999.95e6) return fmt::format("{:.1f}M", count / 1e6);
  return fmt::format("{:.1f}G", count / 1e9);
}

Progress::Progress(ProgressOptions options) : options_(std::move(options)) {
  if (!options_.clock)
    options_.clock = [] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    };
  if (options_.width < 0) options_.width = columns_of(options_.out);
  bar_ = options_.width > 0;
  started_ = options_.clock();
  last_ = -std::numeric_limits<double>::infinity();
}

Progress::~Progress() {
  if (drawn_) std::fputc('\n', options_.out);
}

// Where the columns are few, what matters least goes first; a field is shown whole or not at all.
std::string Progress::line(const ProgressState& s, double now) const {
  struct Field {
    int weight;
    std::string text;
  };
  std::vector<Field> fields{{4, options_.steps > 0 ? fmt::format("{} {}/{}", options_.label, s.step, options_.steps)
                                                   : fmt::format("{} {}", options_.label, s.step)}};
  if (!s.note.empty()) fields.push_back({3, s.note});
  if (!std::isnan(s.loss)) fields.push_back({3, fmt::format("loss {:.4f}", s.loss)});
  if (!std::isnan(s.tokens_per_second))
    fields.push_back({1, fmt::format("{} tokens/s", count_text(s.tokens_per_second))});
  if (!std::isnan(s.share_of_peak)) fields.push_back({0, fmt::format("{:.0f} % of peak", 100 * s.share_of_peak)});
  const auto done = s.step - options_.first_step, left = options_.steps - s.step;
  if (done > 0 && left > 0)
    fields.push_back(
        {2, duration_text((now - started_) / static_cast<double>(done) * static_cast<double>(left)) + " left"});
  for (int weight = 0;; ++weight) {
    std::string text;
    for (const Field& f : fields) text += (text.empty() ? "" : "  ") + f.text;
    if (!bar_ || text.size() < static_cast<std::size_t>(options_.width) || fields.size() == 1) return text;
    std::erase_if(fields, [&](const Field& f) { return f.weight == weight; });
  }
}

void Progress::update(const ProgressState& state) {
  state_ = state;
  any_ = true;
  if (options_.quiet || finished_) return;
  const double now = options_.clock();
  if (now - last_ < (bar_ ? 0.1 : options_.seconds_between_lines)) return;
  last_ = now;
  draw(state, now);
}

void Progress::draw(const ProgressState& state, double now) {
  std::string text = line(state, now);
  if (!bar_) {
    fmt::print(options_.out, "{}\n", text);
  } else {
    const int room = options_.width - 1 - static_cast<int>(text.size()) - 4;
    if (options_.steps > 0 && room >= 10)
      text = bar_text(static_cast<double>(state.step) / static_cast<double>(options_.steps), std::min(room, 30)) + " " +
             text;
    text.resize(std::min(text.size(), static_cast<std::size_t>(options_.width - 1)));
    fmt::print(options_.out, "\r\x1b[K{}", text);
    drawn_ = true;
  }
  std::fflush(options_.out);
}

void Progress::erase() {
  if (drawn_) fmt::print(options_.out, "\r\x1b[K");
  drawn_ = false;
}

void Progress::note(const std::string& line) {
  if (options_.quiet) return;
  const bool again = drawn_;
  erase();
  fmt::print(options_.out, "{}\n", line);
  if (again) draw(state_, options_.clock());
  std::fflush(options_.out);
}

void Progress::finish() {
  if (std::exchange(finished_, true) || options_.quiet) return;
  erase();
  const double now = options_.clock();
  if (any_) fmt::print(options_.out, "{}  in {}\n", line(state_, now), duration_text(now - started_));
  std::fflush(options_.out);
}

}  // namespace plumb
