// Rows, files and groups.
#include "lab/sweep/results.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "core/files/atomic_file.h"
#include "core/files/hdf5_file.h"
#include "lab/config/read.h"
#include "lab/run/summary.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

double number_in(const store::JournalContent& rows, const char* name, bool last) {
  const auto it = rows.metrics.find(name);
  if (it == rows.metrics.end() || it->second.values.empty()) return unknown;
  return last ? it->second.values.back() : it->second.values.front();
}

// A field of CSV: quoted where it must be.
std::string csv(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}
std::string csv(double x) { return std::isnan(x) ? "nan" : fmt::format("{}", x); }

}  // namespace

MemberResult result_of(const SweepMember& member, const std::string& run_folder) {
  MemberResult r{.status = "not begun",
                 .initial_loss = unknown,
                 .loss = unknown,
                 .val_loss = unknown,
                 .max_attn_logit_block0 = unknown};
  if (!is_run(run_folder)) return r;
  const store::RunContent run = store::read_run(run_folder);
  RunConfig config;
  read(parse_toml(run.config, run_folder + "/config.toml"), config);
  if (const auto differences = config_difference(config, member.config); !differences.empty())
    throw UserError(fmt::format("this run has another configuration than the sweep wants: {}", differences.front()),
                    run_folder, "give the changed sweep a folder of its own with --out");
  const RunSummary s = summarise(run);
  r.status = s.status;
  r.steps = s.steps;
  r.initial_loss = number_in(run.rows, "loss", false);
  r.loss = number_in(run.rows, "loss", true);
  const bool ended = s.status != "unfinished" && s.status != "damaged" && s.status != "interrupted";
  r.state = s.status == "damaged" ? MemberState::failed : ended ? MemberState::done : MemberState::unfinished;
  if (r.state == MemberState::failed) r.status = run.damage;
  r.max_attn_logit_block0 = number_in(run.rows, "max_attn_logit_block0", true);
  if (ended && s.status != "diverged") r.val_loss = number_in(run.rows, "val_loss", true);
  return r;
}

void write_tables(const SweepPlan& plan, const std::vector<MemberResult>& results, const std::string& folder) {
  std::string text = "member";
  for (const auto& axis : plan.axes) text += "," + csv(axis.name);
  text += ",status,steps,initial_loss,loss,val_loss,max_attn_logit_block0\n";
  files::Hdf5Content h5;
  std::vector<std::string> names, states;
  std::vector<std::vector<std::string>> points(plan.axes.size());
  std::vector<std::int64_t> steps;
  std::vector<double> initial, loss, val, logit;
  for (std::size_t i = 0; i < plan.members.size(); ++i) {
    const auto& m = plan.members[i];
    const auto& r = results[i];
    text += csv(m.name);
    for (std::size_t a = 0; a < plan.axes.size(); ++a) {
      const auto& p = plan.axes[a].points[m.at[a]];
      const bool one_key = p.settings.size() == 1 && p.settings[0].first == plan.axes[a].name;
      const auto* word = one_key ? p.settings[0].second.as_text() : &p.name;
      points[a].push_back(word ? *word : write_toml_value(p.settings[0].second));
      text += "," + csv(points[a].back());
    }
    text += fmt::format(",{},{},{},{},{},{}\n", csv(r.status), r.steps, csv(r.initial_loss), csv(r.loss),
                        csv(r.val_loss), csv(r.max_attn_logit_block0));
    names.push_back(m.name), states.push_back(r.status), steps.push_back(r.steps);
    initial.push_back(r.initial_loss), loss.push_back(r.loss), val.push_back(r.val_loss),
        logit.push_back(r.max_attn_logit_block0);
  }
  const auto n = static_cast<std::int64_t>(names.size());
  h5.texts["table/member"] = names;
  h5.texts["table/status"] = states;
  for (std::size_t a = 0; a < plan.axes.size(); ++a) h5.texts["axes/" + plan.axes[a].name] = points[a];
  h5.tensors["table/steps"] = Tensor::from(steps, {n});
  h5.tensors["table/initial_loss"] = Tensor::from(initial, {n});
  h5.tensors["table/loss"] = Tensor::from(loss, {n});
  h5.tensors["table/val_loss"] = Tensor::from(val, {n});
  h5.tensors["table/max_attn_logit_block0"] = Tensor::from(logit, {n});
  for (const char* name : {"initial_loss", "loss", "val_loss"})
    h5.attributes[std::string("table/") + name] = {{"units", std::string("nats/token")}};
  files::write_atomically(fs::path(folder) / "table.csv", text);
  files::write_hdf5(fs::path(folder) / "table.h5", h5);
}

Sensitivity Group::sensitivity() const {
  Sensitivity mean;
  const auto n = static_cast<double>(by_seed.size());
  std::vector<double> rates;
  for (const auto& s : by_seed) {
    mean.value += s.value / n, mean.high_side += s.high_side / n, mean.best_loss += s.best_loss / n;
    mean.diverged += s.diverged;
    rates.push_back(s.best_lr);
  }
  std::ranges::sort(rates);
  mean.best_lr = rates.at(rates.size() / 2);
  return mean;
}

std::vector<Group> groups_of(const SweepPlan& plan, const std::vector<MemberResult>& results) {
  const int lr_axis = plan.axis_of("schedule.lr"), seed_axis = plan.axis_of("run.seed");
  std::vector<Group> groups;
  if (lr_axis < 0) return groups;
  std::vector<std::string> order;
  std::map<std::string, std::map<double, std::vector<const MemberResult*>>> found;
  for (std::size_t i = 0; i < plan.members.size(); ++i) {
    if (results[i].state != MemberState::done) continue;
    std::string name;
    for (std::size_t a = 0; a < plan.axes.size(); ++a)
      if (static_cast<int>(a) != lr_axis && static_cast<int>(a) != seed_axis)
        name += (name.empty() ? "" : " ") + plan.axes[a].points[plan.members[i].at[a]].name;
    if (!found.contains(name)) order.push_back(name);
    found[name][plan.members[i].config.schedule.lr].push_back(&results[i]);
  }
  for (const auto& name : order) {
    Group& g = groups.emplace_back(Group{.name = name});
    double sum = 0, count = 0;
    std::size_t seeds = SIZE_MAX;
    for (const auto& [lr, members] : found[name]) {
      g.lrs.push_back(lr);
      auto& losses = g.val_losses.emplace_back();
      for (const auto* m : members) {
        losses.push_back(m->val_loss);
        if (std::isfinite(m->initial_loss)) sum += m->initial_loss, ++count;
      }
      seeds = std::min(seeds, losses.size());
    }
    g.initial_loss = count > 0 ? sum / count : unknown;
    if (g.lrs.size() < 2 || !std::isfinite(g.initial_loss)) continue;
    for (std::size_t s = 0; s < seeds; ++s) {
      std::vector<double> of_seed;
      for (const auto& losses : g.val_losses) of_seed.push_back(losses[s]);
      g.by_seed.push_back(lr_sensitivity(g.lrs, of_seed, g.initial_loss));
    }
  }
  return groups;
}

}  // namespace plumb::lab
