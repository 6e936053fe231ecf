// The folder of a run, while it is written.
#include "lab/store/run_store.h"

#include <algorithm>

#include "core/files/atomic_file.h"

namespace plumb::store {
namespace {

std::vector<NamedValue> with_prefix(std::string_view prefix, std::span<const NamedValue> row) {
  std::vector<NamedValue> renamed(row.begin(), row.end());
  for (auto& [name, value] : renamed) name.insert(0, prefix);
  return renamed;
}

}  // namespace

RunStore::RunStore(Path folder, std::string config, Journal journal, std::optional<std::int64_t> resumed_at)
    : folder_(std::move(folder)),
      config_(std::move(config)),
      journal_(std::move(journal)),
      checkpoints_(folder_ / "ckpt"),
      events_(folder_, resumed_at) {}

RunStore RunStore::create(const Path& folder, const std::string& config,
                          const std::map<std::string, std::string>& provenance) {
  files::make_folders(folder);
  if (std::filesystem::exists(folder / "journal") || std::filesystem::exists(folder / "run.h5")) {
    throw UserError("there is a run here already", folder.string(),
                    fmt::format("`plumb resume {}` goes on with it; or choose another --out", folder.string()));
  }
  files::remove_stale_temporaries(folder);
  files::write_atomically(folder / "config.toml", config);  // first: a journal without a config cannot be resumed
  RunStore store(folder, config, Journal::create(folder / "journal"), std::nullopt);
  store.journal_.provenance(config_digest, files::digest(config));
  for (const auto& [key, value] : provenance) store.journal_.provenance(key, value);
  store.journal_.sync();
  store.text("config", 0, "```toml\n" + config + "\n```");
  return store;
}

RunStore RunStore::resume(const Path& folder, Resumption& how) {
  how = {};
  if (!std::filesystem::exists(folder / "journal")) {
    throw UserError("there is no run here to resume", folder.string(), "name the folder that `plumb train --out` made");
  }
  JournalContent rows;
  Journal journal = Journal::open(folder / "journal", &rows);
  files::remove_stale_temporaries(folder);
  const std::string config = read_config(folder, rows);
  if (const auto damage = damage_of_journal(folder, rows, checkpointed_steps(folder / "ckpt")); !damage.empty())
    how.warnings.push_back(damage + " and made again");
  // A mark says that every row up to its step is in the journal; without it a checkpoint would leave a gap.
  const auto& marks = rows.checkpoints;
  auto found = CheckpointFolder(folder / "ckpt").newest([&](std::int64_t step) {
    return std::find(marks.begin(), marks.end(), step) != marks.end();
  });
  how.warnings.insert(how.warnings.end(), found.damaged.begin(), found.damaged.end());
  how.checkpoint = std::move(found.checkpoint);
  const std::int64_t step = how.checkpoint ? how.checkpoint->step : -1;
  journal.truncate_to(step);
  return RunStore(folder, config, std::move(journal), step);
}

void RunStore::metrics(std::int64_t step, std::span<const NamedValue> row) {
  journal_.metrics(step, row);
  events_.scalars(step, row);
}

void RunStore::timing(std::int64_t step, std::span<const NamedValue> row) {
  journal_.timing(step, row);
  events_.scalars(step, with_prefix("timing/", row));
}

Path RunStore::save(const Checkpoint& checkpoint, const Retention& retention) {
  journal_.checkpoint(checkpoint.step);
  journal_.sync();  // the rows reach the disk before the checkpoint that builds on them
  return checkpoints_.save(checkpoint, retention);
}

void RunStore::publish() {
  journal_.sync();
  write_run_h5(folder_ / "run.h5", read_run(folder_));
}

}  // namespace plumb::store
