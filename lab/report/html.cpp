// Pages as HTML.
#include "lab/report/html.h"

#include <algorithm>
#include <cmath>

#include "core/errors.h"

namespace plumb::report {
namespace {

constexpr const char* style = R"(
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; color: #1c2126; background: #f6f7f9;
  margin: 0; }
main { max-width: 880px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 36px 0 10px; }
.subtitle { color: #5b6570; margin: 0 0 24px; }
.note { border-left: 4px solid #E69F00; background: #fff; padding: 8px 14px; margin: 10px 0; border-radius: 0 6px 6px 0;
  white-space: pre-wrap; }
.card { background: #fff; border: 1px solid #e3e6ea; border-radius: 8px; padding: 14px; margin: 14px 0; overflow-x: auto; }
.card svg { display: block; width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid #eceff2; vertical-align: top;
  overflow-wrap: anywhere; }
th { color: #5b6570; font-weight: 600; }
tr:last-child td { border-bottom: 0; }
td.number, th.number { text-align: right; overflow-wrap: normal; white-space: nowrap; }
pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: 0; }
summary { cursor: pointer; font-size: 18px; font-weight: 600; margin: 36px 0 10px; }
@media print { body { background: #fff; } .card { break-inside: avoid; } }
)";

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\0': safe += "\xef\xbf\xbd"; break;
      default: safe += c;
    }
  }
  return safe;
}

bool is_number(const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789+-.eE%naif ") != text.npos) return false;
  return text.find_first_of("0123456789") != text.npos || text == "nan" || text == "inf" || text == "-inf";
}

std::string row_of(const std::vector<std::string>& cells, const char* tag, const std::vector<bool>& numeric) {
  std::string row = "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool right = i < numeric.size() && numeric[i];
    row += fmt::format("<{}{}>{}</{}>", tag, right ? " class=\"number\"" : "", escaped(cells[i]), tag);
  }
  return row + "</tr>\n";
}

std::string html_of(const Table& table) {
  std::vector<bool> numeric;  // columns of nothing but numbers, in tables that have a header
  for (const auto& row : table.rows) numeric.resize(std::max(numeric.size(), row.size()), !table.header.empty());
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) numeric[i] = numeric[i] && is_number(row[i]);
  }
  std::string html = table.title.empty() ? "" : "<h2>" + escaped(table.title) + "</h2>\n";
  html += "<div class=\"card\"><table>\n";
  if (!table.header.empty()) html += "<thead>" + row_of(table.header, "th", numeric) + "</thead>\n";
  html += "<tbody>\n";
  for (const auto& row : table.rows) html += row_of(row, "td", numeric);
  return html + "</tbody></table></div>\n";
}

std::string html_of(const Verbatim& text) {
  const std::string body = "<div class=\"card\"><pre>" + escaped(text.text) + "</pre></div>\n";
  if (!text.folded) return "<h2>" + escaped(text.title) + "</h2>\n" + body;
  return "<details><summary>" + escaped(text.title) + "</summary>\n" + body + "</details>\n";
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// A picture within the page: names of its own (several share the page), and a title that says what it shows.
std::string inline_svg(const Plot& plot, std::size_t index) {
  std::string svg = svg_of(plot);
  svg.erase(0, std::min(svg.find("<svg"), svg.size()));
  for (const char* name : {"gpDot", "gpPt", "textbox", "greybox", "gnuplot_"}) {
    for (const char* before : {"id='", "id=\"", "href='#", "href=\"#", "url(#"}) {
      replace_all(svg, std::string(before) + name, fmt::format("{}p{}-{}", before, index, name));
    }
  }
  replace_all(svg, "<title>Gnuplot</title>", "<title>" + escaped(plot.title) + "</title>");
  return "<div class=\"card\">" + svg + "</div>\n";
}

Table as_table(const Plot& plot) {
  Table table{plot.title, {"curve", "first", "lowest", "highest", "last"}, {}};
  for (const auto& curve : plot.curves) {
    std::vector<double> values;
    for (const double y : curve.y) {
      if (std::isfinite(y)) values.push_back(y);
    }
    if (values.empty()) continue;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    table.rows.push_back({curve.label, fmt::format("{:.5g}", values.front()), fmt::format("{:.5g}", *low),
                          fmt::format("{:.5g}", *high), fmt::format("{:.5g}", values.back())});
  }
  return table;
}

std::string pictures(const std::vector<Plot>& plots) {
  if (plots.empty()) return "";
  std::string html = "<h2>Curves</h2>\n";
  const bool drawn = gnuplot_found();
  if (!drawn) html += "<p class=\"note\">gnuplot is not installed: the curves are given as tables.</p>\n";
  for (std::size_t i = 0; i < plots.size(); ++i) html += drawn ? inline_svg(plots[i], i) : html_of(as_table(plots[i]));
  return html;
}

}  // namespace

std::string html_of(const Page& page) {
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  html += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n";
  html += "<title>" + escaped(page.title) + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n<main>\n";
  html += "<h1>" + escaped(page.title) + "</h1>\n";
  if (!page.subtitle.empty()) html += "<p class=\"subtitle\">" + escaped(page.subtitle) + "</p>\n";
  for (const auto& note : page.notes) html += "<p class=\"note\">" + escaped(note) + "</p>\n";
  for (const auto& table : page.tables) html += html_of(table);
  html += pictures(page.plots);
  for (const auto& text : page.texts) html += html_of(text);
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace plumb::report
