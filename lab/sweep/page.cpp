// The report of a sweep.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/files/atomic_file.h"
#include "lab/report/html.h"
#include "lab/sweep/results.h"

namespace plumb::lab {
namespace {

std::string shown(double x, const char* format = "{:.4f}") {
  return std::isfinite(x) ? fmt::format(fmt::runtime(format), x) : "-";
}

struct Spread {
  double mean = 0, low = 0, high = 0;
};
// Of the losses of one learning rate; a run that diverged counts as one that never learnt.
Spread spread_of(const std::vector<double>& losses, double initial) {
  Spread s{0, INFINITY, -INFINITY};
  for (const double loss : losses) {
    const double x = std::isfinite(loss) ? std::min(loss, initial) : initial;
    s.mean += x / static_cast<double>(losses.size());
    s.low = std::min(s.low, x);
    s.high = std::max(s.high, x);
  }
  return s;
}

report::Plot losses_against_rate(const std::vector<Group>& groups) {
  report::Plot plot{.title = "loss against learning rate (bands: all seeds)",
                    .x_label = "learning rate",
                    .y_label = "validation loss, nats/token",
                    .log_x = true,
                    .log_y = true};
  for (const auto& g : groups) {
    report::Curve curve{.label = g.name.empty() ? "all" : g.name};
    for (std::size_t i = 0; i < g.lrs.size(); ++i) {
      const Spread s = spread_of(g.val_losses[i], g.initial_loss);
      curve.x.push_back(g.lrs[i]);
      curve.y.push_back(s.mean);
      curve.low.push_back(s.low);
      curve.high.push_back(s.high);
    }
    plot.curves.push_back(std::move(curve));
  }
  return plot;
}

report::Table sensitivities(const std::vector<Group>& groups) {
  report::Table t{.title = "sensitivity to the learning rate, nats/token (mean over seeds)",
                  .header = {"group", "seeds", "sensitivity", "high side", "best rate", "best loss", "diverged"},
                  .rows = {}};
  for (const auto& g : groups) {
    if (g.by_seed.empty()) continue;
    const Sensitivity s = g.sensitivity();
    t.rows.push_back({g.name.empty() ? "all" : g.name, fmt::format("{}", g.by_seed.size()), shown(s.value),
                      shown(s.high_side), shown(s.best_lr, "{:g}"), shown(s.best_loss), fmt::format("{}", s.diverged)});
  }
  return t;
}

report::Table members(const SweepPlan& plan, const std::vector<MemberResult>& results) {
  report::Table t{.title = "members", .header = {"member", "status", "steps", "loss", "val_loss"}, .rows = {}};
  for (std::size_t i = 0; i < plan.members.size(); ++i)
    t.rows.push_back({plan.members[i].name, results[i].status, fmt::format("{}", results[i].steps),
                      shown(results[i].loss), shown(results[i].val_loss)});
  return t;
}

}  // namespace

report::Page sweep_page(const SweepPlan& plan, const std::vector<MemberResult>& results, const std::string& folder,
                        const std::string& config) {
  const auto count = [&](MemberState s) { return std::ranges::count(results, s, &MemberResult::state); };
  report::Page page{
      .title = "sweep " + std::filesystem::path(folder).filename().string(),
      .subtitle = fmt::format("{} members: {} done, {} failed, {} to do", results.size(), count(MemberState::done),
                              count(MemberState::failed), count(MemberState::missing) + count(MemberState::unfinished)),
      .notes = {},
      .tables = {},
      .plots = {},
      .texts = {{"configuration", config, true}}};
  const auto groups = groups_of(plan, results);
  if (!groups.empty()) {
    page.plots.push_back(losses_against_rate(groups));
    page.tables.push_back(sensitivities(groups));
    page.notes.push_back(
        "A run that diverged, or ended above its initial loss, counts as one that never learnt: at the initial loss. "
        "Sensitivity is the mean over the learning rates of the loss minus the best loss (arXiv 2309.14322); its high "
        "side takes the rates from the best one on.");
  }
  page.tables.push_back(members(plan, results));
  return page;
}

std::string write_sweep_report(const SweepPlan& plan, const std::vector<MemberResult>& results,
                               const std::string& folder, const std::string& config) {
  const report::Page page = sweep_page(plan, results, folder, config);
  const auto path = std::filesystem::path(folder) / "report.html";
  files::write_atomically(path, report::html_of(page));
  if (!page.plots.empty() && report::gnuplot_found()) {
    files::write_atomically(std::filesystem::path(folder) / "loss.svg", report::svg_of(page.plots[0]));
    files::write_atomically(std::filesystem::path(folder) / "loss.png", report::png_of(page.plots[0]));
  }
  return path.string();
}

}  // namespace plumb::lab
