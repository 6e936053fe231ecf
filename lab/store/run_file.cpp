// run.h5: /config, /metrics, /timing, /provenance; written from the journal, and read where there is no journal.
#include <algorithm>

#include "core/files/atomic_file.h"
#include "core/files/hdf5_file.h"
#include "lab/store/run_store.h"

namespace plumb::store {
namespace {

using files::Hdf5Content;
using files::Hdf5Reader;

// The group of a metric. Below it lie `steps` and `values`, so a metric "x/steps" must not take the place of those of
// "x".
std::string group_of(const std::string& table, const std::string& name) {
  std::string path = table;
  for (std::size_t from = 0; from <= name.size();) {
    const std::size_t to = std::min(name.find('/', from), name.size());
    const std::string part = name.substr(from, to - from), stem = part.substr(0, part.find('_'));
    const bool reserved =
        (stem == "steps" || stem == "values") && part.find_first_not_of('_', stem.size()) == part.npos;
    path += "/" + part + (reserved ? "_" : "");
    from = to + 1;
  }
  return path;
}

void put_table(Hdf5Content& content, const std::string& table, const std::map<std::string, Series>& all) {
  content.attributes[table];  // the group is there even when empty
  for (const auto& [name, series] : all) {
    const std::string group = group_of(table, name);
    const auto n = static_cast<std::int64_t>(series.steps.size());
    content.tensors[group + "/steps"] = Tensor::from(series.steps, {n});
    content.tensors[group + "/values"] = Tensor::from(series.values, {n});
    content.attributes[group] = {
        {"name", name}, {"units", series.info.units}, {"description", series.info.description}};
  }
}

std::string text_of(const std::map<std::string, files::Attribute>& all, const std::string& name) {
  const auto found = all.find(name);
  return found != all.end() && std::holds_alternative<std::string>(found->second) ? std::get<std::string>(found->second)
                                                                                  : "";
}

std::map<std::string, Series> table_of(const Hdf5Reader& file, const std::string& table, const Path& path) {
  std::map<std::string, Series> all;
  for (const auto& dataset : file.names()) {
    if (!dataset.starts_with(table + "/") || !dataset.ends_with("/values")) continue;
    const std::string group = dataset.substr(0, dataset.size() - std::string("/values").size());
    const auto attributes = file.attributes(group);
    Series series{
        {text_of(attributes, "name"), text_of(attributes, "units"), text_of(attributes, "description")}, {}, {}};
    series.values = file.tensor(dataset).to_vector<double>();
    series.steps = file.tensor(group + "/steps").to_vector<std::int64_t>();
    if (series.steps.size() != series.values.size())
      throw UserError(fmt::format("{} has {} steps but {} values", group, series.steps.size(), series.values.size()),
                      path.string());
    all[series.info.name] = std::move(series);
  }
  return all;
}

RunContent read_run_h5(const Path& path) {
  const Hdf5Reader file(path, "run");
  RunContent run;
  const auto config = file.has("config/text") ? file.texts("config/text") : std::vector<std::string>{};
  if (config.empty()) throw UserError("this is not the run.h5 of a run", path.string());
  run.config = config[0];
  run.rows.metrics = table_of(file, "metrics", path);
  run.rows.timing = table_of(file, "timing", path);
  for (const auto& [key, value] : file.attributes("provenance")) {
    if (std::holds_alternative<std::string>(value)) run.rows.provenance[key] = std::get<std::string>(value);
  }
  const auto steps = file.tensor("provenance/event_steps").to_vector<std::int64_t>();
  const auto events = file.texts("provenance/events");
  for (std::size_t i = 0; i < std::min(steps.size(), events.size()); ++i) {
    run.rows.events.push_back({steps[i], events[i]});
  }
  for (const auto& [name, series] : run.rows.metrics) {
    if (!series.steps.empty()) run.rows.last_step = std::max(run.rows.last_step, series.steps.back());
  }
  return run;
}

}  // namespace

void write_run_h5(const Path& path, const RunContent& run) {
  Hdf5Content content;
  content.texts["config/text"] = {run.config};
  content.attributes["config"] = {{"digest", files::digest(run.config)}};
  put_table(content, "metrics", run.rows.metrics);
  put_table(content, "timing", run.rows.timing);
  auto& provenance = content.attributes["provenance"];
  for (const auto& [key, value] : run.rows.provenance) provenance[key] = value;
  std::vector<std::int64_t> steps;
  auto& events = content.texts["provenance/events"];
  for (const auto& event : run.rows.events) {
    steps.push_back(event.step);
    events.push_back(event.json);
  }
  content.tensors["provenance/event_steps"] = Tensor::from(steps, {static_cast<std::int64_t>(steps.size())});
  content.attributes[""] = {{"format_version", std::int64_t{1}}, {"content_digest", run.digest()}};
  files::write_hdf5(path, content);
}

// A checkpoint is written after its mark is on the disk: one without a mark tells of rows that were there.
std::string damage_of_journal(const Path& folder, const JournalContent& rows,
                              const std::vector<std::int64_t>& checkpoints) {
  const std::string journal = (folder / "journal").string();
  if (rows.damaged_at)
    return fmt::format("{}: damaged at byte {}; {} bytes from there on are lost", journal, *rows.damaged_at,
                       rows.dropped_bytes);
  const auto unmarked = [&](std::int64_t step) { return std::ranges::count(rows.checkpoints, step) == 0; };
  const auto lost = std::ranges::find_if(checkpoints, unmarked);
  if (lost == checkpoints.end()) return {};
  return fmt::format("{}: cut short; the rows that belong to the checkpoint of step {} are lost", journal, *lost);
}

std::string read_config(const Path& folder, const JournalContent& rows) {
  const Path path = folder / "config.toml";
  std::string config = files::read_text(path);
  const auto digest = rows.provenance.find(config_digest);
  if (digest == rows.provenance.end() || digest->second == files::digest(config)) return config;
  throw UserError("the configuration is damaged, or was changed after the run began", path.string(),
                  "put back what it was: every checkpoint of the run has it as its attribute \"config\"; to try "
                  "another configuration, start a new run");
}

RunContent read_run(const Path& folder_or_run_h5) {
  const Path& path = folder_or_run_h5;
  RunContent run;
  if (std::filesystem::exists(path / "journal")) {
    const auto checkpoints = checkpointed_steps(path / "ckpt");  // first: a living run adds rows before checkpoints
    run.rows = read_journal(path / "journal");
    run.config = read_config(path, run.rows);
    run.damage = damage_of_journal(path, run.rows, checkpoints);
  } else if (!std::filesystem::exists(path) ||
             (std::filesystem::is_directory(path) && !std::filesystem::exists(path / "run.h5"))) {
    throw UserError("there is no run here: neither a journal nor run.h5", path.string(),
                    "`plumb list FOLDER` shows runs");
  } else {
    run = read_run_h5(std::filesystem::is_directory(path) ? path / "run.h5" : path);
  }
  const Path folder = std::filesystem::absolute(std::filesystem::is_directory(path) ? path / "." : path).parent_path();
  run.name = folder.filename().string();
  return run;
}

std::string RunContent::digest() const {
  std::vector<files::NamedTensor> all;
  for (const auto& [name, series] : rows.metrics) {
    const auto n = static_cast<std::int64_t>(series.steps.size());
    all.push_back({name + "/steps", Tensor::from(series.steps, {n})});
    all.push_back({name + "/values", Tensor::from(series.values, {n})});
  }
  std::vector<std::uint8_t> text(config.begin(), config.end());
  all.push_back({"/config", Tensor::from(text, {static_cast<std::int64_t>(text.size())})});
  return files::digest(all);
}

}  // namespace plumb::store
