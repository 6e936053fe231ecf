// The folder of a run: config.toml (resolved), journal, run.h5, TensorBoard event files, ckpt/NNNNNN.h5.
// The journal is the truth; run.h5 is rebuilt from it, whole. Wall-clock time goes to /timing and the event files only.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/store/checkpoint.h"
#include "lab/store/journal.h"
#include "lab/store/tensorboard.h"

namespace plumb::store {

constexpr const char* config_digest = "config_digest";  // in the provenance: that of config.toml

// How a resumed run goes on.
struct Resumption {
  std::optional<Checkpoint> checkpoint;  // none: begin at step 0
  std::vector<std::string> warnings;     // damaged checkpoints, a damaged journal, one sentence each
};

class RunStore {
 public:
  // A new run: `folder` must hold no run yet. `config` is the text of the resolved config.toml.
  static RunStore create(const Path& folder, const std::string& config,
                         const std::map<std::string, std::string>& provenance);
  // Opens a run to go on: takes the newest whole checkpoint whose rows are all there, and drops the rows after it.
  static RunStore resume(const Path& folder, Resumption& how);

  const Path& folder() const { return folder_; }
  const std::string& config() const { return config_; }
  const CheckpointFolder& checkpoints() const { return checkpoints_; }

  void describe(const MetricInfo& info) { journal_.describe(info); }
  void metrics(std::int64_t step, std::span<const NamedValue> row);
  void timing(std::int64_t step, std::span<const NamedValue> row);
  void event(std::int64_t step, std::string_view json) { journal_.event(step, json); }
  void provenance(std::string_view key, std::string_view value) { journal_.provenance(key, value); }
  // For TensorBoard alone.
  void text(std::string_view tag, std::int64_t step, std::string_view markdown) { events_.text(tag, step, markdown); }

  // Call it after the rows of `checkpoint.step` are in. Whatever fails, the checkpoints before it stay usable.
  Path save(const Checkpoint& checkpoint, const Retention& retention = {});
  void publish();  // rebuilds run.h5: at the end, and whenever others should see the state

 private:
  RunStore(Path folder, std::string config, Journal journal, std::optional<std::int64_t> resumed_at);
  Path folder_;
  std::string config_;
  Journal journal_;
  CheckpointFolder checkpoints_;
  EventWriter events_;
};

// A run as others read it, alive or finished.
struct RunContent {
  std::string name;  // the folder's
  std::string config;
  JournalContent rows;
  std::string damage{};        // what its journal has lost, as a sentence; empty when it is whole
  std::string digest() const;  // of config and metrics: what two equal runs share
};
RunContent read_run(const Path& folder_or_run_h5);  // UserError where the configuration is not the run's own

// The same two questions to a folder whose journal was read already; `checkpoints` are those that lay there before.
std::string damage_of_journal(const Path& folder, const JournalContent& rows,
                              const std::vector<std::int64_t>& checkpoints);
std::string read_config(const Path& folder, const JournalContent& rows);
void write_run_h5(const Path& path, const RunContent& run);

}  // namespace plumb::store
