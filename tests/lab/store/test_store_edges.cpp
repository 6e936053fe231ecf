// Stored files that are whole but senseless: records with a good CRC and an odd payload, seals whose table lies,
// checkpoints that contradict themselves.
#include <cstring>

#include "core/files/atomic_file.h"
#include "core/files/hdf5_file.h"
#include "core/files/seal.h"
#include "lab/store/checkpoint.h"
#include "lab/store/journal.h"
#include "lab/store/journal_format.h"
#include "tests/files_support.h"
#include "tests/seal_support.h"

namespace plumb::store {
namespace {

using test::error_of;
using test::Folder;
using test::raw_digest;

std::string record(std::uint32_t type, const std::string& payload) {
  std::string bytes;
  journal::put(bytes, static_cast<std::uint32_t>(payload.size()));
  journal::put(bytes, type);
  bytes += payload;
  journal::put(bytes, files::crc32c(files::as_bytes(bytes)));
  return bytes;
}

template <class... T>
std::string numbers(T... values) {
  std::string bytes;
  (journal::put(bytes, values), ...);
  return bytes;
}

JournalContent content_of(const std::string& records) {
  const Folder folder;
  files::write_atomically(folder / "journal", journal::header() + records);
  return read_journal(folder / "journal");
}

TEST(JournalEdges, ARecordWithASenselessPayloadEndsWhatIsWhole) {
  const std::int64_t step = 3;
  const std::uint32_t name = 7, long_text = 100;
  const std::string senseless[] = {
      record(journal::metrics, ""),                         // no step
      record(journal::metrics, numbers(step, name)),        // half a value
      record(journal::timing, numbers(step, name, 1.5)),    // a name that nobody described
      record(journal::event, numbers(step)),                // no text
      record(journal::event, numbers(step, long_text)),     // a text longer than the record
      record(journal::checkpoint, "abc"),                   // half a step
      record(journal::describe, numbers(name, long_text)),  // a name longer than the record
      record(journal::provenance, ""),                      // no key
      record(0, numbers(step)),
      record(7, numbers(step)),                                                       // of no type
      numbers(journal::largest_payload + 1, std::uint32_t{1}) + std::string(8, 'x'),  // larger than any record
      numbers(std::uint32_t{50}, std::uint32_t{1}) + std::string(8, 'x')};            // longer than the file
  const std::string whole = record(journal::checkpoint, numbers(step));
  for (const auto& bytes : senseless) {
    const auto content = content_of(whole + bytes);
    EXPECT_EQ(content.checkpoints, std::vector<std::int64_t>{3});
    EXPECT_TRUE(content.metrics.empty() && content.timing.empty() && content.events.empty() &&
                content.provenance.empty());
    EXPECT_EQ(content.good_bytes, journal::header_size + whole.size());
    EXPECT_EQ(content.dropped_bytes, bytes.size());
    EXPECT_FALSE(content.damaged_at);
    EXPECT_TRUE(content_of(bytes + whole).damaged_at);  // a whole record behind it: damage, no torn end
  }
}

TEST(JournalEdges, OfARowThatNamesTheUnknownNothingIsTaken) {
  const std::uint32_t known = 0, unknown = 7, one = 1;
  const std::uint32_t none = 0;
  const std::string name = record(journal::describe, numbers(known, one) + "a" + numbers(none, none));
  const auto content = content_of(name + record(journal::metrics, numbers(std::int64_t{3}, known, 1.5, unknown, 2.5)));
  EXPECT_TRUE(content.metrics.empty());
  EXPECT_EQ(content.last_step, -1);
  EXPECT_EQ(content.good_bytes, journal::header_size + name.size());
}

TEST(JournalEdges, AHeaderIsWholeOrNone) {
  const Folder folder;
  const auto error = [&](const std::string& bytes) {
    files::write_atomically(folder / "journal", bytes);
    return error_of([&] { read_journal(folder / "journal"); });
  };
  EXPECT_NE(error("").find("cut short"), std::string::npos);
  EXPECT_NE(error(journal::header().substr(0, 9)).find("cut short"), std::string::npos);
  EXPECT_NE(error("Pxx").find("no journal"), std::string::npos);
  EXPECT_NE(error(std::string(40, 'x')).find("no journal"), std::string::npos);
  journal::Record none;
  EXPECT_FALSE(journal::record_at("short", 99, none));
}

TEST(JournalEdges, ManyLongFalseRecordsAreTakenForDamageInTime) {
  std::string false_starts;  // each offset claims a record of 1 MiB
  for (int i = 0; i < 400000; ++i) journal::put(false_starts, std::uint32_t{0x00101010});
  EXPECT_TRUE(content_of(false_starts).damaged_at);
}

TEST(JournalEdges, RefusesNamesAndRecordsThatCannotBe) {
  const Folder folder;
  Journal journal = Journal::create(folder / "journal");
  for (const std::string name : {"", "a//b", "/a", "a/./b", "a\n", "a\x7f"})
    EXPECT_NE(error_of([&] { journal.describe({name, "", ""}); }).find("cannot name a metric"), std::string::npos);
  EXPECT_NE(error_of([&] { journal.describe({std::string(201, 'x'), "", ""}); }).size(), 0u);
  EXPECT_NE(error_of([&] { journal.event(1, std::string(journal::largest_payload, 'x')); }).find("too large"),
            std::string::npos);
  EXPECT_NE(error_of([&] { Journal::create(folder / "journal"); }).find("there is a run here already"),
            std::string::npos);
}

TEST(JournalEdges, ADescriptionThatFailedIsWrittenNextTime) {
  const Folder folder;
  Journal journal = Journal::create(folder / "journal");
  journal.describe({"loss", "nats", ""});
  for (const char* name : {"loss", "other"}) {
    const test::WithFault fault({files::Op::write, 1, files::Fault::Kind::once});
    EXPECT_NE(error_of([&] { journal.describe({name, "bits", ""}); }).size(), 0u);
  }
  journal.metrics(1, std::vector<NamedValue>{{"other", 2.0}, {"loss", 1.0}});
  const auto content = read_journal(folder / "journal");
  EXPECT_EQ(content.metrics.at("loss").info.units, "nats");
  EXPECT_EQ(content.metrics.at("other").values, std::vector<double>{2.0});
}

// A body of eight bytes under a seal with this table, whose own hash is right and the hash of the whole is not.
files::SealCheck check_with(const std::string& table) {
  std::string file = "the body" + table + numbers(std::uint64_t{8}, std::uint64_t{table.size()});
  file += raw_digest(table) + std::string(16, '?') + "PlmbSeal";
  return files::check_seal(files::as_bytes(file));
}

TEST(SealEdges, ATableThatLiesNamesNothing) {
  const std::uint64_t none = 0, eight = 8, beyond = 9, huge = ~0ull;
  const std::uint32_t one = 1, hundred = 100;
  const std::string hash(16, 'h');
  EXPECT_EQ(check_with(numbers(one) + "a" + numbers(none, eight) + hash).damaged, std::vector<std::string>{"a"});
  EXPECT_EQ(check_with(numbers(one) + "a" + numbers(none, eight) + raw_digest("the body")).damaged.size(), 0u);
  for (const auto& table :
       {std::string("ab"), numbers(hundred) + "a", numbers(one) + "a" + numbers(none),
        numbers(one) + "a" + numbers(none, eight) + "hash", numbers(one) + "a" + numbers(beyond, none) + hash,
        numbers(one) + "a" + numbers(eight, eight) + hash, numbers(one) + "a" + numbers(none, huge) + hash}) {
    const auto check = check_with(table);
    EXPECT_TRUE(check.sealed && !check.intact && check.damaged.empty());
  }
  EXPECT_FALSE(files::check_seal(files::as_bytes("short")).sealed);
  EXPECT_FALSE(files::check_seal(files::as_bytes(std::string(100, 'x'))).sealed);
}

Checkpoint sound() {
  Checkpoint c;
  c.config = "x = 1\n";
  c.tensors = {{"params/a", Tensor::of<float>({1, 2})}, {"params/b", Tensor::of<float>({3})}};
  return c;
}

// A sound checkpoint, with one thing changed, saved and loaded.
template <class Change>
std::string error_with(const Change& change, const std::string& group = {}) {
  const Folder folder;
  save_checkpoint(folder / "sound.h5", sound());
  const files::Hdf5Reader file(folder / "sound.h5");
  files::Hdf5Content content;
  content.attributes[""] = file.attributes("");
  content.texts["manifest"] = file.texts("manifest");
  for (const char* name : {"params/a", "params/b"}) content.tensors[name] = file.tensor(name);
  change(content);
  files::write_hdf5(folder / "changed.h5", content);
  return error_of([&] { load_checkpoint(folder / "changed.h5", group); });
}

TEST(CheckpointEdges, SayWhatContradictsItself) {
  const auto has = [](const std::string& error, const std::string& part) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  EXPECT_EQ(error_with([](auto&) {}), "");
  has(error_with([](auto& c) { c.attributes[""].erase("step"); }), "it has no attribute step");
  has(error_with([](auto& c) { c.attributes[""]["step"] = 1.5; }), "it has no attribute step");
  has(error_with([](auto& c) { c.attributes[""]["format_version"] = std::int64_t{2}; }),
      "has format 2, this Plumb reads 1");
  has(error_with([](auto& c) { c.attributes[""]["config"] = "x = 2\n"; }), "its config differs from its digest");
  has(error_with([](auto& c) { c.tensors.erase("params/a"); }), "params/a differs from the manifest");
  has(error_with([](auto& c) { c.tensors.erase("params/b"); }), "params/b differs from the manifest");
  has(error_with([](auto& c) { c.tensors["params/c"] = Tensor::of<float>({3}); }),
      "params/c differs from the manifest");
  has(error_with([](auto& c) { c.tensors["params/c"] = Tensor::of<float>({3}); }, "params"), "params/c differs");
  has(error_with([](auto& c) { c.texts.erase("manifest"); }), "has no dataset manifest");
  EXPECT_EQ(error_with([](auto& c) { c.tensors["other"] = Tensor::of<float>({3}); }), "");  // in no group of ours
  EXPECT_EQ(error_with([](auto& c) { c.tensors["optim/c"] = Tensor::of<float>({3}); }, "params"), "");
}

TEST(CheckpointEdges, RefusesNamesOutsideItsGroups) {
  const Folder folder;
  Checkpoint c = sound();
  c.tensors.push_back({"other/c", Tensor::of<float>({3})});
  EXPECT_NE(error_of([&] { save_checkpoint(folder / "c.h5", c); }).find("is not under params/"), std::string::npos);
  c.tensors.back().name = "params/a";
  EXPECT_NE(error_of([&] { save_checkpoint(folder / "c.h5", c); }).find("two tensors are named"), std::string::npos);
}

TEST(CheckpointEdges, FilesOfOtherNamesAreNoSteps) {
  const Folder folder;
  const CheckpointFolder checkpoints(folder.path());
  checkpoints.save(sound(), {.keep_last = 0});
  for (const char* name : {"7.h5", "-00001.h5", "x.h5", "000008.h6"}) files::write_atomically(folder / name, "x");
  EXPECT_EQ(checkpoints.steps(), std::vector<std::int64_t>{0});
}

TEST(Hdf5Edges, TextsAndTensorsAreNotMistakenForEachOther) {
  const Folder folder;
  files::Hdf5Content content;
  content.texts["words"] = {"a", ""};
  content.texts["none"] = {};
  content.tensors["numbers"] = Tensor::of<float>({1});
  content.tensors["empty"] = Tensor::from(std::vector<float>{}, {0, 3});
  files::write_hdf5(folder / "f.h5", content);
  const files::Hdf5Reader file(folder / "f.h5");
  EXPECT_EQ(file.texts("words"), (std::vector<std::string>{"a", ""}));
  EXPECT_TRUE(file.texts("none").empty());
  EXPECT_EQ(file.tensor("empty").shape(), (Shape{0, 3}));
  EXPECT_NE(error_of([&] { file.tensor("words"); }).find("a type that Plumb does not read"), std::string::npos);
  EXPECT_NE(error_of([&] { file.texts("numbers"); }).find("holds no texts"), std::string::npos);
  EXPECT_NE(error_of([&] { file.attributes("nowhere"); }).find("no group or dataset nowhere"), std::string::npos);
  EXPECT_NE(error_of([&] { file.tensor("numbers", DType::f32, {2}); }).find("is wanted"), std::string::npos);
  EXPECT_NE(error_of([&] { file.tensor("numbers", DType::f64, {1}); }).find("is wanted"), std::string::npos);
}

TEST(Hdf5Edges, RefusesWhatHdf5CannotStore) {
  const Folder folder;
  files::Hdf5Content zero, nameless;
  zero.texts["words"] = {std::string("a\0b", 3)};
  nameless.tensors["a//b"] = Tensor::of<float>({1});
  EXPECT_NE(error_of([&] { write_hdf5(folder / "f.h5", zero); }).find("zero byte"), std::string::npos);
  EXPECT_NE(error_of([&] { write_hdf5(folder / "f.h5", nameless); }).find("is no name"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder / "f.h5"));
}

}  // namespace
}  // namespace plumb::store
