// Writing a journal.
#include "lab/store/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/files/atomic_file.h"
#include "lab/store/journal_format.h"

namespace plumb::store {
namespace {

void lock(const files::Fd& fd, const Path& path) {
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) files::io_error("cannot lock the run", path, errno);
  throw UserError("another process is writing this run", path.string(), "wait for it to end, or choose another --out");
}

// A name becomes a path in run.h5 and a tag in TensorBoard.
void check_name(const std::string& name) {
  const std::string path = "/" + name + "/";
  const bool bad = name.empty() || name.size() > 200 || path.find("//") != std::string::npos ||
                   path.find("/./") != std::string::npos ||
                   std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 32 || c == 127; });
  if (bad) fail("journal", "'{}' cannot name a metric: write words separated by single slashes.", name);
}

}  // namespace

// The header comes atomically, so that a kill leaves a journal or none; the folder's lock keeps two creators apart.
Journal Journal::create(const Path& path) {
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  const files::Fd creating = files::open_file(folder, O_RDONLY | O_DIRECTORY);
  lock(creating, path);
  if (std::filesystem::exists(path)) {
    throw UserError("there is a run here already", path.string(), "resume it, or choose another --out");
  }
  files::write_atomically(path, journal::header());
  return open(path);
}

Journal Journal::open(const Path& path, JournalContent* kept) {
  Journal journal(path, files::open_file(path, O_RDWR));
  lock(journal.fd_, path);
  journal.reload(kept);
  return journal;
}

void Journal::reload(JournalContent* kept) {
  JournalContent content = read_journal(path_);
  if (content.dropped_bytes > 0) files::truncate_file(fd_, path_, content.good_bytes);
  end_ = content.good_bytes;
  ids_.clear();
  const files::MappedFile mapped(path_);
  journal::for_each_record(files::as_text(mapped.bytes()), path_, [&](const journal::Record& record) {
    if (record.type != journal::describe) return true;
    journal::Cursor in{record.payload};
    const auto id = in.number<std::uint32_t>();
    ids_[in.text()] = id;
    return true;
  });
  if (kept) *kept = std::move(content);
}

// A record goes in with one write at a known place: after a failure the next one overwrites the torn half.
void Journal::append(std::uint32_t type, std::string_view payload) {
  if (payload.size() > journal::largest_payload) fail("journal", "a record of {} bytes is too large.", payload.size());
  std::string record;
  record.reserve(payload.size() + journal::record_overhead);
  journal::put(record, static_cast<std::uint32_t>(payload.size()));
  journal::put(record, type);
  record += payload;
  journal::put(record, files::crc32c(files::as_bytes(record)));
  try {
    files::write_at(fd_, path_, files::as_bytes(record), end_);
  } catch (...) {
    [[maybe_unused]] const int ignored = ::ftruncate(fd_.get(), static_cast<off_t>(end_));
    throw;
  }
  end_ += record.size();
}

std::uint32_t Journal::id_of(const std::string& name) {
  const auto known = ids_.find(name);
  if (known != ids_.end()) return known->second;
  describe({name, "", ""});
  return ids_.at(name);
}

void Journal::row(std::uint32_t type, std::int64_t step, std::span<const NamedValue> row) {
  std::string payload;
  journal::put(payload, step);
  for (const auto& [name, value] : row) {
    journal::put(payload, id_of(name));
    journal::put(payload, value);
  }
  append(type, payload);
}

void Journal::metrics(std::int64_t step, std::span<const NamedValue> values) { row(journal::metrics, step, values); }
void Journal::timing(std::int64_t step, std::span<const NamedValue> values) { row(journal::timing, step, values); }

void Journal::event(std::int64_t step, std::string_view json) {
  std::string payload;
  journal::put(payload, step);
  journal::put_text(payload, json);
  append(journal::event, payload);
}

void Journal::checkpoint(std::int64_t step) {
  std::string payload;
  journal::put(payload, step);
  append(journal::checkpoint, payload);
}

void Journal::describe(const MetricInfo& info) {
  check_name(info.name);
  const auto known = ids_.find(info.name);
  const auto id = known != ids_.end() ? known->second : static_cast<std::uint32_t>(ids_.size());
  std::string payload;
  journal::put(payload, id);
  journal::put_text(payload, info.name);
  journal::put_text(payload, info.units);
  journal::put_text(payload, info.description);
  auto renewed = ids_;
  renewed[info.name] = id;
  append(journal::describe, payload);
  ids_.swap(renewed);  // only when the name is in the file; else it is written again next time
}

void Journal::provenance(std::string_view key, std::string_view value) {
  std::string payload;
  journal::put_text(payload, key);
  journal::put_text(payload, value);
  append(journal::provenance, payload);
}

void Journal::sync() { files::sync_file(fd_, path_); }

void Journal::truncate_to(std::int64_t step) {
  std::uint64_t keep = 0;
  {
    const files::MappedFile mapped(path_);
    keep = journal::for_each_record(files::as_text(mapped.bytes()), path_,
                                    [&](const journal::Record& record) { return journal::step_of(record) <= step; });
  }
  files::truncate_file(fd_, path_, keep);
  sync();
  reload(nullptr);
}

}  // namespace plumb::store
