// Pictures and the HTML report of runs.
#include <filesystem>

#include "core/files/atomic_file.h"
#include "lab/report/html.h"
#include "lab/run/summary.h"

namespace plumb::lab {

std::string write_report(const std::vector<std::string>& runs, const std::string& out) {
  if (runs.empty()) throw UserError("a report needs at least one run", "report");
  std::vector<store::RunContent> contents;
  for (const auto& r : runs) contents.push_back(store::read_run(r));
  const std::filesystem::path folder = out.empty() ? std::filesystem::path(runs[0]) : std::filesystem::path(out);
  std::filesystem::create_directories(folder);
  if (const auto plots = report::plots_of(contents); report::gnuplot_found() && !plots.empty()) {
    files::write_atomically(folder / "loss.svg", report::svg_of(plots[0]));
    files::write_atomically(folder / "loss.png", report::png_of(plots[0]));
  }
  const auto page = folder / "report.html";
  files::write_atomically(page, report::html_of(report::page_of(contents)));
  return page.string();
}

}  // namespace plumb::lab
