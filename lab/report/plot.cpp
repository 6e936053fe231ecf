// The gnuplot script of a plot.
#include "lab/report/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/errors.h"
#include "lab/report/process.h"

namespace plumb::report {
namespace {

// Okabe and Ito's colours, told apart by people with any kind of colour vision; their yellow is too light for a line.
constexpr std::array<const char*, 8> colours{"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                             "#E69F00", "#56B4E9", "#333333", "#8C510A"};

constexpr std::size_t most_points = 2000;

// A string of gnuplot; what could end it or start a line is replaced.
std::string quoted(const std::string& text) {
  std::string safe = "'";
  for (const char c : text) {
    safe += static_cast<unsigned char>(c) < 32 ? ' ' : c;
    if (c == '\'') safe += '\'';
  }
  return safe + "'";
}

struct Point {
  double x, y;
};

// What can be shown of a curve.
std::vector<Point> points_of(const Plot& plot, const Curve& curve) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
    const double x = curve.x[i], y = curve.y[i];
    const bool shown = std::isfinite(x) && std::isfinite(y) && std::abs(y) < 1e300 && (!plot.log_x || x > 0) &&
                       (!plot.log_y || curve.on_right || y > 0);
    points.push_back({x, shown ? y : std::nan("")});
  }
  return points;
}

// A long curve as the lowest and highest point of each stretch: peaks stay, the file stays small.
std::vector<Point> thinned(const std::vector<Point>& points) {
  if (points.size() <= most_points) return points;
  std::vector<Point> kept;
  const std::size_t stretches = most_points / 2;
  for (std::size_t s = 0; s < stretches; ++s) {
    const auto from = points.begin() + static_cast<std::ptrdiff_t>(s * points.size() / stretches);
    const auto to = points.begin() + static_cast<std::ptrdiff_t>((s + 1) * points.size() / stretches);
    const auto lower = [](const Point& a, const Point& b) { return std::isnan(b.y) ? !std::isnan(a.y) : a.y < b.y; };
    const auto higher = [](const Point& a, const Point& b) { return std::isnan(a.y) ? !std::isnan(b.y) : a.y < b.y; };
    auto low = std::min_element(from, to, lower), high = std::max_element(from, to, higher);
    if (high < low) std::swap(low, high);
    kept.push_back(*low);
    if (high != low) kept.push_back(*high);
  }
  return kept;
}

struct Drawing {
  std::string data, curves;                                              // data blocks; the parts of the plot command
  double left = std::numeric_limits<double>::infinity(), right = -left;  // the extent in x, and in y on the left axis
  double low = left, high = -left;
  bool any = false, any_on_right = false;
  void include(double y) {
    low = std::min(low, y);
    high = std::max(high, y);
  }
};

// What lies between low and high, behind the curves drawn after it.
void draw_band(const Plot& plot, const Curve& curve, std::size_t index, const char* colour, Drawing& drawing) {
  if (curve.low.size() != curve.x.size() || curve.high.size() != curve.x.size()) return;
  std::string data;
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    const bool shown = std::isfinite(curve.low[i]) && std::isfinite(curve.high[i]) && (!plot.log_x || curve.x[i] > 0) &&
                       (!plot.log_y || curve.low[i] > 0);
    data += shown ? fmt::format("{} {} {}\n", curve.x[i], curve.low[i], curve.high[i]) : "\n";
    if (!shown) continue;
    drawing.include(curve.low[i]);
    drawing.include(curve.high[i]);
  }
  drawing.data += fmt::format("$band{} << END\n{}END\n", index, data);
  drawing.curves +=
      fmt::format("{}$band{} using 1:2:3 with filledcurves fc rgb '{}' fs transparent solid 0.15 noborder notitle",
                  drawing.curves.empty() ? "" : ", ", index, colour);
}

void draw(const Plot& plot, const Curve& curve, std::size_t index, Drawing& drawing) {
  const auto points = thinned(points_of(plot, curve));
  const auto shown = std::count_if(points.begin(), points.end(), [](const Point& p) { return !std::isnan(p.y); });
  if (shown == 0) return;
  drawing.any = true;
  drawing.any_on_right |= curve.on_right;
  drawing.data += fmt::format("$curve{} << END\n", index);
  for (const auto& [x, y] : points) {
    drawing.data += std::isnan(y) ? "\n" : fmt::format("{} {}\n", x, y);  // an empty line breaks the curve
    if (std::isnan(y)) continue;
    drawing.left = std::min(drawing.left, x);
    drawing.right = std::max(drawing.right, x);
    if (!curve.on_right) drawing.include(y);
  }
  drawing.data += "END\n";
  const char* colour = colours[index % colours.size()];
  draw_band(plot, curve, index, colour, drawing);
  const char* style = shown <= 30 ? "linespoints pt 7 ps 0.5" : "lines";
  drawing.curves +=
      fmt::format("{}$curve{} using 1:2 axes {} with {} lc rgb '{}' lw {} dt {} title {}",
                  drawing.curves.empty() ? "" : ", ", index, curve.on_right ? "x1y2" : "x1y1", style, colour,
                  curve.on_right || shown > 500 ? "1.3" : "1.8", curve.on_right ? "(6,4)" : "1", quoted(curve.label));
}

void draw(const Plot& plot, const Level& level, std::size_t index, Drawing& drawing, std::string& labels) {
  if (!drawing.any || !std::isfinite(level.y) || (plot.log_y && level.y <= 0)) return;
  drawing.data +=
      fmt::format("$level{} << END\n{} {}\n{} {}\nEND\n", index, drawing.left, level.y, drawing.right, level.y);
  drawing.curves += fmt::format(", $level{} using 1:2 with lines lc rgb '#555555' lw 1.2 dt (2,3) notitle", index);
  labels += fmt::format("set label {} at graph 0.45, first {} center offset 0,-0.7 tc rgb '#555555' front\n",
                        quoted(level.label), level.y);
}

// A range with a little room; more below where the name of a level stands.
std::string y_range(const Plot& plot, const Drawing& drawing) {
  if (!(drawing.low <= drawing.high)) return "";  // everything is on the right axis
  const auto scale = [&](double y) { return plot.log_y ? std::log10(y) : y; };
  const auto back = [&](double y) { return plot.log_y ? std::pow(10.0, y) : y; };
  double low = scale(drawing.low), high = scale(drawing.high);
  for (const Level& level : plot.levels) {  // a level outside the curves must be seen too
    if (!std::isfinite(level.y) || (plot.log_y && level.y <= 0)) continue;
    low = std::min(low, scale(level.y));
    high = std::max(high, scale(level.y));
  }
  const double span = high > low ? high - low : std::max(std::abs(high) * 0.2, plot.log_y ? 1.0 : 1e-3);
  return fmt::format("set yrange [{}:{}]\n", back(low - span * (plot.levels.empty() ? 0.04 : 0.14)),
                     back(high + span * 0.04));
}

// A logarithmic axis of less than a decade or so has at most one power of ten to write: even steps then.
std::string y_tics(const Plot& plot, const Drawing& drawing) {
  if (!plot.log_y || !(drawing.low > 0) || drawing.high / drawing.low > 15 || drawing.high == drawing.low) return "";
  const double rough = (drawing.high - drawing.low) / 5, power = std::pow(10.0, std::floor(std::log10(rough)));
  const double step = power * (rough < 2 * power ? 1 : rough < 5 * power ? 2 : 5);
  std::string tics;
  for (double y = std::ceil(drawing.low / step) * step; y <= drawing.high; y += step)
    tics += fmt::format("{}{:g}", tics.empty() ? "" : ", ", y);
  return fmt::format("set ytics ({})\n", tics);
}

std::string script_of(const Plot& plot, const std::string& terminal) {
  Drawing drawing;
  std::string labels;
  for (std::size_t i = 0; i < plot.curves.size(); ++i) draw(plot, plot.curves[i], i, drawing);
  for (std::size_t i = 0; i < plot.levels.size(); ++i) draw(plot, plot.levels[i], i, drawing, labels);

  std::string s = "set encoding utf8\nset terminal " + terminal + "\n";
  s += "set border " + std::string(drawing.any_on_right ? "11" : "3") + " lc rgb '#9a9a9a' lw 1\n";
  s += "set tics nomirror out scale 0.5 tc rgb '#333333'\n";
  s += "set grid xtics ytics back lc rgb '#ececec' lt 1 lw 1\n";
  s += "set key below center horizontal Left reverse samplen 2.4 spacing 1.3 width 2 tc rgb '#222222'\n";
  s += "set lmargin 9\nset tmargin 2.6\nset rmargin " + std::string(drawing.any_on_right ? "13" : "4") + "\n";
  s += fmt::format("set title {} tc rgb '#111111'\n", quoted(plot.title));
  s += fmt::format("set xlabel {} tc rgb '#333333' offset 0,0.3\n", quoted(plot.x_label));
  s += fmt::format("set ylabel {} tc rgb '#333333'\n", quoted(plot.y_label));
  s += "set format y '%g'\nset format y2 '%g'\nset xtics autofreq\n";
  if (plot.log_x) s += "set logscale x\n";
  if (plot.log_y) s += "set logscale y\n";
  s += "set autoscale xfix\n" + y_range(plot, drawing) + y_tics(plot, drawing);
  if (drawing.any_on_right) s += fmt::format("set y2tics\nset y2label {} tc rgb '#333333'\n", quoted(plot.right_label));
  if (!drawing.any) {
    return s +
           "unset logscale\nunset border\nset xrange [0:1]\nset yrange [0:1]\nunset tics\nset label 'no finite values' "
           "at 0.5, 0.5 "
           "center "
           "tc rgb '#777777'\nplot NaN notitle\n";
  }
  return s + labels + drawing.data + "plot " + drawing.curves + "\n";
}

std::string drawn(const Plot& plot, const std::string& terminal) {
  const ProcessResult result = run_process({"gnuplot", "-d", "-"}, script_of(plot, terminal));
  if (result.status == 127) {
    throw UserError("gnuplot, which draws the curves, is not installed", "", "install it: apt-get install gnuplot-nox");
  }
  if (result.status != 0 || result.out.empty()) {
    throw UserError(fmt::format("gnuplot could not draw '{}': {}", plot.title, result.err.substr(0, 500)));
  }
  return result.out;
}

}  // namespace

bool gnuplot_found() { return run_process({"gnuplot", "--version"}, "").status == 0; }

std::string svg_of(const Plot& plot) {
  return drawn(plot, fmt::format("svg size {},{} dynamic noenhanced font 'DejaVu Sans,Helvetica,Arial,sans-serif,13' "
                                 "background '#ffffff'",
                                 plot.width, plot.height));
}

std::string png_of(const Plot& plot) {
  return drawn(plot,
               fmt::format("pngcairo size {},{} noenhanced font 'DejaVu Sans,10' fontscale 2 linewidth 2 pointscale 2 "
                           "background '#ffffff'",
                           2 * plot.width, 2 * plot.height));
}

}  // namespace plumb::report
