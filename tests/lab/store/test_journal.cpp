// The journal: round trips, cuts, flips, failing writes, kills, truncation, the lock.
#include <sys/wait.h>

#include <cmath>
#include <fstream>
#include <random>

#include "core/files/atomic_file.h"
#include "lab/store/journal.h"
#include "tests/files_support.h"

namespace plumb::store {
namespace {

using files::Fault;
using files::Op;
using test::error_of;
using test::Folder;

void write_rows(Journal& journal, std::int64_t from, std::int64_t to) {
  for (auto step = from; step <= to; ++step) {
    journal.metrics(step, std::vector<NamedValue>{{"loss", 1.0 / static_cast<double>(step)}, {"rewards/chosen", 0.5}});
    journal.timing(step, std::vector<NamedValue>{{"seconds", 0.01}});
    if (step % 3 == 0) {
      journal.sync();
      journal.checkpoint(step);
    }
  }
}

std::string overwrite(const Path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  return bytes;
}

// The rows of a content as text, to compare.
std::string rows_of(const JournalContent& content) {
  std::string text;
  for (const auto& [name, series] : content.metrics) {
    text += fmt::format("{} [{}] {}:", name, series.info.units, series.info.description);
    for (std::size_t i = 0; i < series.steps.size(); ++i)
      text += fmt::format(" {}={}", series.steps[i], series.values[i]);
    text += "\n";
  }
  for (const auto step : content.checkpoints) text += fmt::format("mark {}\n", step);
  return text;
}

TEST(Journal, ReadsBackWhatItWrote) {
  const Folder folder;
  {
    Journal journal = Journal::create(folder / "journal");
    journal.provenance("isa", "avx2");
    journal.describe({"loss", "nats", "mean over tokens"});
    write_rows(journal, 1, 4);
    journal.metrics(5, std::vector<NamedValue>{{"loss", std::nan("")}});
    journal.event(5, R"({"event":"diverged"})");
  }
  const JournalContent content = read_journal(folder / "journal");
  EXPECT_EQ(content.metrics.at("loss").steps, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(content.metrics.at("loss").info.units, "nats");
  EXPECT_TRUE(std::isnan(content.metrics.at("loss").values[4]));
  EXPECT_EQ(content.metrics.at("rewards/chosen").values.size(), 4u);
  EXPECT_EQ(content.timing.at("seconds").values.size(), 4u);
  EXPECT_EQ(content.provenance.at("isa"), "avx2");
  EXPECT_EQ(content.checkpoints, std::vector<std::int64_t>{3});
  ASSERT_EQ(content.events.size(), 1u);
  EXPECT_EQ(content.events[0].json, R"({"event":"diverged"})");
  EXPECT_EQ(content.last_step, 5);
  EXPECT_EQ(content.dropped_bytes, 0u);
}

TEST(Journal, CutAnywhereKeepsEveryWholeRecordAndGoesOn) {
  const Folder folder;
  {
    Journal journal = Journal::create(folder / "journal");
    write_rows(journal, 1, 5);
  }
  const std::string whole = files::read_text(folder / "journal");
  const std::string all = rows_of(read_journal(folder / "journal"));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    overwrite(folder / "cut", whole.substr(0, length));
    if (length < 16) {
      EXPECT_NE(error_of([&] { read_journal(folder / "cut"); }).find("cut short inside its header"), std::string::npos);
      continue;
    }
    const JournalContent content = read_journal(folder / "cut");
    EXPECT_FALSE(content.damaged_at.has_value()) << length;
    EXPECT_EQ(content.good_bytes + content.dropped_bytes, length);
    const std::int64_t last = std::max<std::int64_t>(content.last_step, 0);
    Journal journal = Journal::open(folder / "cut");
    journal.truncate_to(last - 1);
    write_rows(journal, std::max<std::int64_t>(last, 1), 5);
    EXPECT_EQ(rows_of(read_journal(folder / "cut")), all) << length;
  }
}

TEST(Journal, NoticesEveryFlippedBit) {
  const Folder folder;
  {
    Journal journal = Journal::create(folder / "journal");
    journal.event(0, "{}");
    write_rows(journal, 1, 6);
  }
  const std::string whole = files::read_text(folder / "journal");
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += 3) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    overwrite(folder / "flipped", flipped);
    if (bit / 8 < 16) {
      EXPECT_NE(error_of([&] { read_journal(folder / "flipped"); }).find("header is damaged"), std::string::npos);
      continue;
    }
    const JournalContent content = read_journal(folder / "flipped");
    EXPECT_GT(content.dropped_bytes, 0u) << bit;
    EXPECT_LE(content.good_bytes, bit / 8);
    const bool in_the_last_record = bit / 8 >= whole.size() - 20;  // a checkpoint mark; the same as a torn end
    EXPECT_EQ(content.damaged_at.has_value(), !in_the_last_record) << bit;
    EXPECT_EQ(content.damaged_at.value_or(content.good_bytes), content.good_bytes);
  }
}

TEST(Journal, RandomBytesNeverCrashTheReader) {
  const Folder folder;
  std::string header;
  {
    Journal journal = Journal::create(folder / "journal");
    header = files::read_text(folder / "journal");
  }
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    std::string bytes = header;
    for (int i = 0; i < 200; ++i) bytes += static_cast<char>(random() % (round % 2 ? 256 : 4));
    overwrite(folder / "random", bytes);
    EXPECT_EQ(read_journal(folder / "random").good_bytes, header.size());
  }
}

TEST(Journal, TruncatedAndContinuedIsTheUninterruptedOne) {
  const Folder folder;
  {
    Journal straight = Journal::create(folder / "straight");
    write_rows(straight, 1, 9);
    Journal resumed = Journal::create(folder / "resumed");
    write_rows(resumed, 1, 3);
    write_rows(resumed, 4, 5);
    resumed.metrics(6, std::vector<NamedValue>{{"only/later", 1}, {"loss", 7}});
    resumed.truncate_to(3);
    write_rows(resumed, 4, 9);
  }
  EXPECT_EQ(files::read_text(folder / "resumed"), files::read_text(folder / "straight"));
}

TEST(Journal, KeepsASecondWriterOut) {
  const Folder folder;
  const Journal first = Journal::create(folder / "journal");
  EXPECT_NE(error_of([&] { Journal::open(folder / "journal"); }).find("another process is writing this run"),
            std::string::npos);
  EXPECT_NE(error_of([&] { Journal::create(folder / "journal"); }).find("a run here already"), std::string::npos);
}

TEST(Journal, GoesOnAfterAFailedWrite) {
  const Folder folder;
  Journal journal = Journal::create(folder / "journal");
  write_rows(journal, 1, 2);
  for (int nth = 1; nth <= 3; ++nth) {
    const test::WithFault fault({Op::write, nth, Fault::Kind::once});
    std::string error;
    for (int i = 0; i < 3; ++i) {
      error += error_of([&] { journal.metrics(3, std::vector<NamedValue>{{fmt::format("new/{}", nth), 1}}); });
    }
    EXPECT_NE(error.find("No space left"), std::string::npos);
  }
  write_rows(journal, 3, 4);
  const JournalContent content = read_journal(folder / "journal");
  EXPECT_EQ(content.dropped_bytes, 0u);
  EXPECT_EQ(content.last_step, 4);
  EXPECT_EQ(content.metrics.at("new/1").steps.size(), 2u);
}

TEST(Journal, SurvivesKillsOfTheWriter) {
  const Folder folder;
  { Journal::create(folder / "journal"); }
  std::int64_t last = 0;
  for (int round = 1; round <= 6; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      files::set_fault(Fault{Op::write, 50 + 7 * round, Fault::Kind::kill_within});  // in the middle of a record
      Journal journal = Journal::open(folder / "journal");
      write_rows(journal, last + 1, last + 1000);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    JournalContent kept;
    Journal journal = Journal::open(folder / "journal", &kept);
    EXPECT_GT(kept.dropped_bytes, 0u);
    EXPECT_FALSE(kept.damaged_at.has_value());
    EXPECT_GT(kept.last_step, last + 15);
    last = kept.checkpoints.back();
    journal.truncate_to(last);
  }
  {
    Journal straight = Journal::create(folder / "straight");
    write_rows(straight, 1, last);
  }
  const JournalContent a = read_journal(folder / "journal"), b = read_journal(folder / "straight");
  EXPECT_EQ(rows_of(a), rows_of(b));
}

}  // namespace
}  // namespace plumb::store
