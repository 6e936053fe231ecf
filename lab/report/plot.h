// Line plots, drawn by gnuplot: as SVG for reports, as PNG for a look.
#pragma once

#include <string>
#include <vector>

namespace plumb::report {

struct Curve {
  std::string label;
  std::vector<double> x = {}, y = {};       // values that are not finite leave a gap
  bool on_right = false;                    // measured on the right axis, dashed
  std::vector<double> low = {}, high = {};  // a band behind the curve, where they are given for each x
};

// A horizontal line with its name, such as the entropy floor.
struct Level {
  std::string label;
  double y = 0;
};

struct Plot {
  std::string title, x_label = "step", y_label = {}, right_label = {};
  bool log_x = false, log_y = false;
  std::vector<Curve> curves = {};
  std::vector<Level> levels = {};
  int width = 760, height = 400;  // pixels; a PNG has twice as many
};

bool gnuplot_found();
// UserError when gnuplot is missing or fails.
std::string svg_of(const Plot& plot);
std::string png_of(const Plot& plot);

}  // namespace plumb::report
