// Self-contained HTML reports: inline pictures and style, nothing fetched from anywhere.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lab/report/plot.h"
#include "lab/store/run_store.h"

namespace plumb::report {

struct Table {
  std::string title;
  std::vector<std::string> header;             // may be empty
  std::vector<std::vector<std::string>> rows;  // numbers are aligned to the right
};

struct Verbatim {  // a config, a sample
  std::string title, text;
  bool folded = false;  // shown on a click
};

// Sections appear in this order. All texts are plain: what HTML would read as markup is escaped.
struct Page {
  std::string title, subtitle;
  std::vector<std::string> notes;  // paragraphs: warnings, a claim and its verdict
  std::vector<Table> tables;
  std::vector<Plot> plots;
  std::vector<Verbatim> texts;
};

// Without gnuplot each plot becomes a table of first, lowest and last values, and a note says so.
std::string html_of(const Page& page);

// One run, or several with their curves overlaid.
Page page_of(const std::vector<store::RunContent>& runs);

// The plots of page_of alone: the losses first.
std::vector<Plot> plots_of(const std::vector<store::RunContent>& runs);

}  // namespace plumb::report
