// The registry, what a claim may ask of the results, and the report.
#include "lab/study/study.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/files/atomic_file.h"
#include "lab/report/html.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

std::vector<Study>& registry() {
  static std::vector<Study> all;
  return all;
}

}  // namespace

bool Claim::holds() const {
  return !criteria.empty() && std::ranges::all_of(criteria, [](const Criterion& c) { return c.holds; });
}

StudyRegistration::StudyRegistration(Study study) {
  auto& all = registry();
  all.insert(std::ranges::upper_bound(all, study.name, {}, &Study::name), std::move(study));
}
const std::vector<Study>& studies() { return registry(); }

std::vector<double> StudyData::by_seed(const Place& place, Metric metric) const {
  std::vector<double> values;
  for (std::size_t i = 0; i < plan_.members.size(); ++i) {
    const auto here = [&](std::size_t axis) {
      const auto wanted = place.find(plan_.axes[axis].name);
      return wanted == place.end() ? plan_.axes[axis].name == "run.seed"
                                   : plan_.axes[axis].points[plan_.members[i].at[axis]].name == wanted->second;
    };
    bool all = true;
    for (std::size_t axis = 0; axis < plan_.axes.size(); ++axis) all &= here(axis);
    if (!all) continue;
    const MemberResult& r = results_[i];
    if (metric == Metric::max_attn_logit_block0) values.push_back(r.max_attn_logit_block0);
    else values.push_back(r.val_loss < r.initial_loss ? r.val_loss : r.initial_loss);
  }
  if (values.empty()) throw Bug("a claim asks for a place that the sweep does not have");
  return values;
}

std::string find_example(const std::string& path) {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path places[] = {"examples", program / "../examples", program / "../share/plumb/examples"};
  for (const auto& place : places)
    if (fs::exists(place / path)) return (place / path).lexically_normal().string();
  throw UserError(fmt::format("the example {} is not where it should be", path), program.string(),
                  "run plumb in its source folder, or give a configuration with --config");
}

std::string write_study_report(const Study& study, const std::vector<Claim>& claims, const SweepPlan& plan,
                               const std::vector<MemberResult>& results, const std::string& folder,
                               const std::string& config) {
  report::Page page = sweep_page(plan, results, folder, config);
  page.title = "study " + study.name;
  page.subtitle = study.title + " (" + study.source + ")";
  std::vector<std::string> notes;
  std::vector<report::Table> tables;
  for (const Claim& claim : claims) {
    notes.push_back(fmt::format("{} {}. Setup: {}. Expected: {}.", claim.text,
                                claim.holds() ? "holds" : "does not hold", claim.setup, claim.expected));
    report::Table t{.title = claim.text,
                    .header = {"criterion", "measured", "95 % interval", "seeds", "test", "verdict"},
                    .rows = {}};
    for (const Criterion& c : claim.criteria)
      t.rows.push_back({c.text, fmt::format("{:.4g}", c.measured.mean),
                        fmt::format("{:.4g} to {:.4g}", c.measured.low, c.measured.high), fmt::format("{}", c.n),
                        c.test, c.holds ? "holds" : "does not hold"});
    tables.push_back(std::move(t));
  }
  page.notes.insert(page.notes.begin(), notes.begin(), notes.end());
  page.tables.insert(page.tables.begin(), tables.begin(), tables.end());
  const auto path = fs::path(folder) / "study.html";
  files::write_atomically(path, report::html_of(page));
  return path.string();
}

}  // namespace plumb::lab
