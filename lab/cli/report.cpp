// plumb report and plumb list.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

#include "lab/cli/command.h"
#include "lab/run/summary.h"

namespace plumb::cli {
namespace {

int report(const Arguments& a) {
  const auto runs = a.words("RUN");
  const std::string path = lab::write_report(runs, a.common.out);
  if (a.common.json) fmt::print("{}\n", nlohmann::json{{"report", path}}.dump());
  else fmt::print("report    {}\n", path);
  return 0;
}

nlohmann::json number_or_null(const std::optional<double>& x) {
  return x ? nlohmann::json(*x) : nlohmann::json(nullptr);
}

int list(const Arguments& a) {
  const std::string folder = a.word("FOLDER").empty() ? "runs" : a.word("FOLDER");
  nlohmann::json all = nlohmann::json::array();
  if (!a.word("FOLDER").empty() && !std::filesystem::is_directory(folder))
    throw UserError("there is no such folder", folder,
                    "plumb train --out says where runs are made; runs is the default");
  const auto runs = lab::runs_under(folder);
  if (!a.common.json)
    fmt::print("{:<32} {:<14} {:>8} {:>6} {:>10} {:>10}\n", "run", "status", "steps", "seed", "loss", "val_loss");
  for (const auto& path : runs) {
    lab::RunSummary s;
    try {
      s = lab::summarise(store::read_run(path));
    } catch (const UserError& e) {
      s.name = path;
      s.status = "unreadable";
    }
    if (a.common.json) {
      all.push_back({{"run", path},
                     {"status", s.status},
                     {"steps", s.steps},
                     {"seed", s.seed},
                     {"loss", number_or_null(s.loss)},
                     {"val_loss", number_or_null(s.val_loss)}});
      continue;
    }
    const auto shown = [](const std::optional<double>& x) { return x ? fmt::format("{:.4f}", *x) : std::string("-"); };
    fmt::print("{:<32} {:<14} {:>8} {:>6} {:>10} {:>10}\n", path, s.status, s.steps, s.seed, shown(s.loss),
               shown(s.val_loss));
  }
  if (a.common.json) fmt::print("{}\n", all.dump());
  else if (runs.empty()) fmt::print("no runs under {}\n", folder);
  return 0;
}

const Registration report_command({.name = "report",
                                   .group = Group::results,
                                   .help = "write a self-contained HTML report of one or several runs",
                                   .example = "plumb report runs/seed7 runs/seed8 --out runs/both",
                                   .words = {{.name = "RUN", .help = "run folders", .many = true}},
                                   .options = {},
                                   .without = {"--set", "--device", "--jobs", "--dry-run"},
                                   .run = report});
const Registration list_command({.name = "list",
                                 .group = Group::results,
                                 .help = "list runs with their status and losses",
                                 .example = "plumb list runs",
                                 .words = {{.name = "FOLDER", .help = "where runs are (runs)", .optional = true}},
                                 .options = {},
                                 .without = {"--out", "--set", "--device", "--jobs", "--dry-run"},
                                 .run = list});

}  // namespace
}  // namespace plumb::cli
