// What a report says of runs: the summary, the curves, the sample, config and provenance.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "core/errors.h"
#include "lab/config/toml.h"
#include "lab/report/html.h"
#include "lab/store/note.h"

namespace plumb::report {
namespace {

using store::RunContent;
using store::Series;

constexpr const char* rate_name = "learning_rate";

// The last note of how a run ended.
store::Note note_of(const RunContent& run) {
  store::Note last{.ending = "still running, or interrupted"};
  for (const auto& event : run.rows.events) {
    if (const auto note = store::read_note(event.json)) last = *note;
  }
  return last;
}

std::string number(double value) { return fmt::format("{:.6g}", value); }

const Series* find(const RunContent& run, const std::string& name) {
  const auto found = run.rows.metrics.find(name);
  return found == run.rows.metrics.end() || found->second.values.empty() ? nullptr : &found->second;
}

Curve curve_of(const Series& series, std::string label) {
  return {std::move(label), {series.steps.begin(), series.steps.end()}, series.values, false};
}

// Losses fall steeply at first: on a logarithmic axis where they span two decades.
bool wants_log(const Plot& plot) {
  double low = INFINITY, high = 0;
  for (const auto& curve : plot.curves) {
    for (const double y : curve.y) {
      if (curve.on_right || !std::isfinite(y)) continue;
      low = std::min(low, y);
      high = std::max(high, y);
    }
  }
  return low > 0 && std::isfinite(low) && high / low > 100;
}

// Training and validation loss of one run, with the learning rate behind them and the floor below.
std::optional<Plot> loss_plot(const RunContent& run) {
  const Series *loss = find(run, "loss"), *val = find(run, "val_loss"), *rate = find(run, rate_name);
  if (!loss && !val) return {};
  Plot plot{.title = "Loss", .y_label = (loss ? loss : val)->info.units, .right_label = {}, .curves = {}, .levels = {}};
  if (loss) plot.curves.push_back(curve_of(*loss, "training"));
  if (val) plot.curves.push_back(curve_of(*val, "validation"));
  if (rate) {
    plot.curves.push_back(curve_of(*rate, "learning rate"));
    plot.curves.back().on_right = true;
    plot.right_label = "learning rate";
  }
  if (const auto floor = note_of(run).entropy_floor)
    plot.levels.push_back({fmt::format("entropy floor {:.4f}", *floor), *floor});
  return plot;
}

Plot overlay(const std::vector<RunContent>& runs, const std::string& name) {
  Plot plot{.title = name, .y_label = {}, .right_label = {}, .curves = {}, .levels = {}};
  std::set<double> floors;
  for (const auto& run : runs) {
    const Series* series = find(run, name);
    if (!series) continue;
    plot.y_label = series->info.units;
    if (!series->info.description.empty()) plot.title = name + ": " + series->info.description;
    plot.curves.push_back(curve_of(*series, runs.size() == 1 ? name : run.name));
    if (const auto floor = note_of(run).entropy_floor; floor && name.ends_with("loss")) floors.insert(*floor);
  }
  if (floors.size() == 1 && name != "z_loss") {
    plot.levels.push_back({fmt::format("entropy floor {:.4f}", *floors.begin()), *floors.begin()});
  }
  plot.log_y = wants_log(plot);
  return plot;
}

Table summary_of(const RunContent& run) {
  const store::Note note = note_of(run);
  Table table{"Summary", {}, {{"ending", note.ending}}};
  if (!note.blame.empty()) table.rows.push_back({"what went wrong", note.blame});
  table.rows.push_back({"steps", fmt::format("{}", std::max<std::int64_t>(run.rows.last_step, 0))});
  if (note.entropy_floor) table.rows.push_back({"entropy floor", number(*note.entropy_floor)});
  for (const auto& [name, series] : run.rows.metrics) {
    if (series.values.empty()) continue;
    const std::string units = series.info.units.empty() ? "" : " " + series.info.units;
    table.rows.push_back({name, number(series.values.back()) + units});
  }
  table.rows.push_back({"content digest", run.digest()});
  return table;
}

Table comparison_of(const std::vector<RunContent>& runs) {
  Table table{"Summary", {"run", "ending", "steps"}, {}};
  std::vector<std::string> shown;
  for (const char* name : {"val_loss", "loss", "grad_norm"}) {
    if (std::any_of(runs.begin(), runs.end(), [&](const auto& run) { return find(run, name); })) shown.push_back(name);
  }
  for (const auto& name : shown) table.header.push_back(name);
  for (const auto& run : runs) {
    std::vector<std::string> row{run.name, note_of(run).ending,
                                 fmt::format("{}", std::max<std::int64_t>(run.rows.last_step, 0))};
    for (const auto& name : shown) {
      const Series* series = find(run, name);
      row.push_back(series ? number(series->values.back()) : "");
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

// Every key, dotted, with its value as TOML.
void flatten(const Value& table, const std::string& path, std::map<std::string, std::string>& into) {
  for (const auto& m : table.table()) {
    if (m.value.is_table()) flatten(m.value, path + m.key + ".", into);
    else into[path + m.key] = write_toml_value(m.value);
  }
}

// The keys on which the configurations of several runs disagree.
Table differences_of(const std::vector<RunContent>& runs) {
  Table table{"What was different", {"key"}, {}};
  std::vector<std::map<std::string, std::string>> configs;
  std::set<std::string> keys;
  for (const auto& run : runs) {
    table.header.push_back(run.name);
    flatten(parse_toml(run.config, run.name), "", configs.emplace_back());
    for (const auto& [key, value] : configs.back()) keys.insert(key);
  }
  for (const auto& key : keys) {
    std::vector<std::string> row{key};
    for (auto& config : configs) row.push_back(config[key]);
    if (std::set<std::string>(row.begin() + 1, row.end()).size() > 1) table.rows.push_back(std::move(row));
  }
  return table;
}

std::string provenance_of(const RunContent& run) {
  std::string lines;
  for (const auto& [key, value] : run.rows.provenance) lines += key + ": " + value + "\n";
  return lines;
}

}  // namespace

std::vector<Plot> plots_of(const std::vector<RunContent>& runs) {
  std::vector<Plot> plots;
  std::set<std::string> names;
  for (const auto& run : runs) {
    for (const auto& [name, series] : run.rows.metrics) {
      if (!series.values.empty()) names.insert(name);
    }
  }
  names.erase("num_tokens");  // a count, which the table has: its curve is a straight line
  if (runs.size() == 1) {
    if (auto plot = loss_plot(runs[0])) {
      plots.push_back(std::move(*plot));
      for (const char* drawn : {"loss", "val_loss", rate_name}) names.erase(drawn);
    }
  }
  for (const char* first : {"val_loss", "loss"}) {
    if (names.erase(first)) plots.push_back(overlay(runs, first));
  }
  for (const auto& name : names) plots.push_back(overlay(runs, name));
  return plots;
}

Page page_of(const std::vector<RunContent>& runs) {
  if (runs.empty()) throw UserError("there is no run to report", "", "name the folder of a run");
  Page page;
  page.plots = plots_of(runs);
  for (const auto& run : runs) {
    if (!run.damage.empty()) page.notes.push_back(run.damage + "; what came before is shown");
    else if (run.rows.dropped_bytes > 0)
      page.notes.push_back(fmt::format("{}: the last {} bytes of the journal are an unfinished record", run.name,
                                       run.rows.dropped_bytes));
  }
  if (runs.size() > 1) {
    page.title = fmt::format("{} runs", runs.size());
    page.tables.push_back(comparison_of(runs));
    if (auto differences = differences_of(runs); !differences.rows.empty())
      page.tables.push_back(std::move(differences));
    for (const auto& run : runs) page.texts.push_back({"Config of " + run.name, run.config, true});
    return page;
  }
  page.title = runs[0].name;
  page.subtitle = "A run of Plumb";
  page.tables.push_back(summary_of(runs[0]));
  if (const store::Note note = note_of(runs[0]); !note.sample.empty()) page.texts.push_back({"Sample", note.sample});
  page.texts.push_back({"Config", runs[0].config});
  if (!runs[0].rows.provenance.empty()) page.texts.push_back({"Provenance", provenance_of(runs[0])});
  return page;
}

}  // namespace plumb::report
