// Reading a journal: whole records in order, then a verdict on what lies behind them.
#include <algorithm>
#include <unordered_map>

#include "core/files/atomic_file.h"
#include "lab/store/journal.h"
#include "lab/store/journal_format.h"

namespace plumb::store {
namespace journal {

bool record_at(std::string_view file, std::uint64_t offset, Record& record) {
  if (offset > file.size() || file.size() - offset < record_overhead) return false;
  Cursor cursor{file.substr(offset)};
  const auto length = cursor.number<std::uint32_t>(), type = cursor.number<std::uint32_t>();
  if (length > largest_payload || length > cursor.left.size() - 4 || type < metrics || type > provenance) return false;
  std::uint32_t crc = 0;
  std::memcpy(&crc, cursor.left.data() + length, sizeof crc);
  if (crc != files::crc32c(files::as_bytes(file.substr(offset, 8 + length)))) return false;
  record = {offset, static_cast<Type>(type), cursor.left.substr(0, length)};
  return true;
}

std::uint64_t for_each_record(std::string_view file, const Path& path, const std::function<bool(const Record&)>& each) {
  if (file.substr(0, header_size) != header()) {
    const bool cut = file.size() < header_size && header().starts_with(file);
    throw UserError(cut ? "the journal is cut short inside its header" : "this is no journal, or its header is damaged",
                    path.string(), "start the run again in a new folder");
  }
  std::uint64_t offset = header_size;
  Record record;
  while (record_at(file, offset, record) && each(record)) offset += record_overhead + record.payload.size();
  return offset;
}

std::int64_t step_of(const Record& record) {
  if (record.type == describe || record.type == provenance) return -1;
  return Cursor{record.payload}.number<std::int64_t>();
}

}  // namespace journal

namespace {

using journal::Cursor;
using journal::Record;

// Gathers records into a JournalContent. A record with a good CRC and a senseless payload counts as damage.
class Gatherer {
 public:
  explicit Gatherer(JournalContent& content) : content_(content) {}

  bool operator()(const Record& record) {
    Cursor in{record.payload};
    switch (record.type) {
      case journal::metrics: return row(in, content_.metrics);
      case journal::timing: return row(in, content_.timing);
      case journal::event: return event(in);
      case journal::checkpoint: return checkpoint(in);
      case journal::describe: return describe(in);
      case journal::provenance: return provenance(in);
    }
    return false;
  }

 private:
  bool row(Cursor& in, std::map<std::string, Series>& table) {
    const auto step = in.number<std::int64_t>();
    if (!in.ok || in.left.size() % 12 != 0) return false;
    std::vector<std::pair<const MetricInfo*, double>> values;  // all of a row, or none
    while (!in.left.empty()) {
      const auto known = infos_.find(in.number<std::uint32_t>());
      if (known == infos_.end()) return false;
      values.emplace_back(&known->second, in.number<double>());
    }
    for (const auto& [info, value] : values) {
      Series& series = table[info->name];
      series.info = *info;
      series.steps.push_back(step);
      series.values.push_back(value);
    }
    content_.last_step = std::max(content_.last_step, step);
    return true;
  }
  bool event(Cursor& in) {
    JournalEvent event;
    event.step = in.number<std::int64_t>();
    event.json = in.text();
    if (in.ok) content_.events.push_back(std::move(event));
    return in.ok;
  }
  bool describe(Cursor& in) {
    const auto id = in.number<std::uint32_t>();
    MetricInfo info;
    info.name = in.text();
    info.units = in.text();
    info.description = in.text();
    if (in.ok) infos_[id] = std::move(info);
    return in.ok;
  }
  bool provenance(Cursor& in) {
    const std::string key = in.text(), value = in.text();
    if (in.ok) content_.provenance[key] = value;
    return in.ok;
  }
  bool checkpoint(Cursor& in) {
    const auto step = in.number<std::int64_t>();
    if (in.ok) content_.checkpoints.push_back(step);
    return in.ok;
  }

  JournalContent& content_;
  std::unordered_map<std::uint32_t, MetricInfo> infos_;
};

// Is there a whole record anywhere behind `offset`? Then what stands there is damage, not a torn end. The work is
// bounded: a hostile file could make every offset look like the start of a long record.
bool whole_record_behind(std::string_view file, std::uint64_t offset) {
  std::uint64_t budget = 256u << 20;
  Record record;
  for (std::uint64_t at = offset + 1; at + journal::record_overhead <= file.size(); ++at) {
    std::uint32_t length = 0;
    std::memcpy(&length, file.data() + at, sizeof length);
    if (length > file.size() - at - journal::record_overhead) continue;
    if (journal::record_at(file, at, record)) return true;
    if (length + journal::record_overhead > budget) return true;  // not told apart in time: the careful answer
    budget -= length + journal::record_overhead;
  }
  return false;
}

}  // namespace

JournalContent read_journal(const Path& path) {
  const files::MappedFile mapped(path);
  const std::string_view file = files::as_text(mapped.bytes());
  JournalContent content;
  Gatherer gather(content);
  content.good_bytes = journal::for_each_record(file, path, [&](const Record& record) { return gather(record); });
  content.dropped_bytes = file.size() - content.good_bytes;
  if (content.dropped_bytes > 0 && whole_record_behind(file, content.good_bytes))
    content.damaged_at = content.good_bytes;
  return content;
}

}  // namespace plumb::store
