// The journal of a run: append-only records, each with a CRC, the truth while the run lives. A kill loses at most the
// record being written; a flipped bit is noticed and located.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/files/system.h"

namespace plumb::store {

using files::Path;

using NamedValue = std::pair<std::string, double>;

struct MetricInfo {
  std::string name, units, description;
};

// One quantity over steps.
struct Series {
  MetricInfo info;
  std::vector<std::int64_t> steps;
  std::vector<double> values;
};

struct JournalEvent {
  std::int64_t step = 0;
  std::string json;
};

// What a journal says.
struct JournalContent {
  std::map<std::string, Series> metrics, timing;  // by name; timing is what the wall clock says
  std::vector<JournalEvent> events;
  std::vector<std::int64_t> checkpoints;          // steps at which one was complete
  std::map<std::string, std::string> provenance;  // the last value set
  std::int64_t last_step = -1;                    // of any row
  std::uint64_t good_bytes = 0;                   // up to here every record is whole
  std::uint64_t dropped_bytes = 0;                // behind it: a record cut short by a kill, or damage
  std::optional<std::uint64_t> damaged_at;        // offset of a damaged record that has whole records behind it
};

// Reads as far as records are whole; UserError only when this is no journal at all.
JournalContent read_journal(const Path& path);

class Journal {
 public:
  static Journal create(const Path& path);  // `path` must not exist
  // Opens for more: cuts off what is not whole, and keeps other processes out. `kept` receives what it says.
  static Journal open(const Path& path, JournalContent* kept = nullptr);

  // One record each; in the file (though not yet on the disk) when the call returns.
  void metrics(std::int64_t step, std::span<const NamedValue> row);
  void timing(std::int64_t step, std::span<const NamedValue> row);
  void event(std::int64_t step, std::string_view json);
  void checkpoint(std::int64_t step);     // every row up to `step` is in: write it before the checkpoint itself
  void describe(const MetricInfo& info);  // units and meaning of a metric, before its first row
  void provenance(std::string_view key, std::string_view value);

  void sync();  // to the disk: before a checkpoint becomes visible, and at the end
  // For resuming at `step`: drops everything from the first row of a later step on, as if it had never been.
  void truncate_to(std::int64_t step);

 private:
  Journal(Path path, files::Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  void append(std::uint32_t type, std::string_view payload);
  void row(std::uint32_t type, std::int64_t step, std::span<const NamedValue> row);
  std::uint32_t id_of(const std::string& name);
  void reload(JournalContent* kept);

  Path path_;
  files::Fd fd_;
  std::uint64_t end_ = 0;
  std::map<std::string, std::uint32_t> ids_;  // names are written once
};

}  // namespace plumb::store
