// A journal: read, opened for more, shown as a page. Records get their CRC put right.
#include <cstring>

#include "core/files/atomic_file.h"
#include "lab/report/html.h"
#include "lab/run/summary.h"
#include "lab/store/journal_format.h"
#include "tests/fuzz/fuzz.h"

namespace plumb::fuzz {
namespace {

namespace format = store::journal;

std::string journal_that_ends_with(const std::string& note) {
  const files::Path path = folder() / "sound";
  {
    store::Journal journal = store::Journal::create(path);
    journal.provenance("isa", "avx2");
    journal.describe({"loss", "nats", "mean over tokens"});
    journal.metrics(1, std::vector<store::NamedValue>{{"loss", 2.5}, {"lr", 1e-3}});
    journal.timing(1, std::vector<store::NamedValue>{{"seconds", 0.5}});
    journal.checkpoint(1);
    journal.event(1, note);
  }
  std::string bytes = files::read_text(path);
  std::filesystem::remove(path);
  return bytes;
}

}  // namespace

void mend(std::string& file) {
  if (file.size() < format::header_size) return;
  file.replace(0, format::header_size, format::header());
  for (std::size_t at = format::header_size; at + format::record_overhead <= file.size();) {
    std::uint32_t length = 0;
    std::memcpy(&length, &file[at], sizeof length);
    length = static_cast<std::uint32_t>(std::min<std::size_t>(length, file.size() - at - format::record_overhead));
    std::memcpy(&file[at], &length, sizeof length);
    const std::uint32_t crc = files::crc32c(files::as_bytes(std::string_view(file).substr(at, 8 + length)));
    std::memcpy(&file[at + 8 + length], &crc, sizeof crc);
    at += format::record_overhead + length;
  }
}

void fuzz(std::string_view input) {
  static const std::string config = "[model]\ncontext = 31\n";
  const MemoryFile file(input);
  store::RunContent run{.config = config, .rows = store::read_journal(file.path())};
  PLUMB_ASSERT(run.rows.good_bytes + run.rows.dropped_bytes == input.size());
  accepted([&] { lab::summarise(run); });
  accepted([&] { report::page_of({run}); });

  const std::string next = "the next row";
  const auto rows = [&](const store::JournalContent& content) {
    const auto found = content.metrics.find(next);
    return found == content.metrics.end() ? 0 : found->second.steps.size();
  };
  store::Journal::open(file.path()).metrics(9, std::vector<store::NamedValue>{{next, 1.0}});
  const auto more = store::read_journal(file.path());
  PLUMB_ASSERT(more.dropped_bytes == 0 && rows(more) == rows(run.rows) + 1);
}

std::vector<std::string> seeds() {
  return {
      journal_that_ends_with(R"({"ending":"finished","val_loss":2.0,"entropy_floor":1.5,"sample":"to be","blame":""})"),
      journal_that_ends_with(R"({"ending":7,"val_loss":"two","entropy_floor":[],"sample":null})"), format::header()};
}

}  // namespace plumb::fuzz
