// Runs whose files are whole but say what no run writes: refused in words, or read as far as they make sense.
#include "core/files/hdf5_file.h"
#include "lab/run/summary.h"
#include "lab/store/note.h"
#include "lab/store/run_store.h"
#include "tests/files_support.h"

namespace plumb::store {
namespace {

using test::error_of;
using test::Folder;

TEST(Note, ReadsBackWhatItWrote) {
  const Note note{.ending = "finished", .blame = "", .sample = "to \xff be", .val_loss = 2.5, .entropy_floor = 1.0};
  const auto read = read_note(write_note(note));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ending, "finished");
  EXPECT_EQ(read->sample, "to \xef\xbf\xbd be");
  EXPECT_EQ(read->val_loss, 2.5);
  EXPECT_EQ(read->entropy_floor, 1.0);
  EXPECT_EQ(write_note({.ending = "diverged", .blame = "step 3"}), R"({"ending":"diverged","blame":"step 3"})");
}

TEST(Note, IsNoneWhereAnEventIsSomethingElse) {
  for (const char* event : {"", "{", "[1]", "7", "{}", R"({"ending":7})", R"({"ending":""})"})
    EXPECT_FALSE(read_note(event)) << event;
}

TEST(Note, PassesOverWhatHasTheWrongKind) {
  const auto note = read_note(R"({"ending":"finished","val_loss":"two","entropy_floor":[1],"sample":null,"blame":3})");
  ASSERT_TRUE(note);
  EXPECT_EQ(note->ending, "finished");
  EXPECT_FALSE(note->val_loss || note->entropy_floor);
  EXPECT_TRUE(note->sample.empty() && note->blame.empty());
}

TEST(HostileRun, WithANoteOfTheWrongKindIsUnfinished) {
  RunContent run{.name = "run", .config = "[model]\ncontext = 31\n", .rows = {}};
  run.rows.events.push_back({3, R"({"ending":7})"});
  EXPECT_EQ(lab::summarise(run).status, "unfinished");
}

// run.h5 of a sound run, with one thing changed.
template <class Change>
std::string error_with(const Change& change) {
  const Folder folder;
  files::Hdf5Content content;
  content.texts["config/text"] = {"[run]\n"};
  content.texts["provenance/events"] = {"{}"};
  content.tensors["provenance/event_steps"] = Tensor::from(std::vector<std::int64_t>{1}, {1});
  content.tensors["metrics/loss/steps"] = Tensor::from(std::vector<std::int64_t>{1, 2}, {2});
  content.tensors["metrics/loss/values"] = Tensor::from(std::vector<double>{2, 1}, {2});
  content.attributes["metrics/loss"] = {{"name", "loss"}, {"units", std::int64_t{3}}};
  content.attributes["provenance"] = {{"isa", "avx2"}, {"odd", 1.5}};
  content.attributes["timing"];
  change(content);
  files::write_hdf5(folder / "run.h5", content);
  return error_of([&] {
    const RunContent run = read_run(folder / "run.h5");
    EXPECT_EQ(run.rows.metrics.at("loss").values, (std::vector<double>{2, 1}));
    EXPECT_EQ(run.rows.metrics.at("loss").info.units, "");  // no text: as if it were not there
    EXPECT_EQ(run.rows.last_step, 2);
    EXPECT_FALSE(run.rows.provenance.contains("odd"));
  });
}

TEST(HostileRun, IsReadWhereItIsSound) {
  EXPECT_EQ(error_with([](auto&) {}), "");
}

TEST(HostileRun, WithoutAConfigurationIsNoRun) {
  const auto empty = [](auto& content) { content.texts["config/text"].clear(); };
  const auto absent = [](auto& content) { content.texts.erase("config/text"); };
  EXPECT_NE(error_with(empty).find("not the run.h5 of a run"), std::string::npos);
  EXPECT_NE(error_with(absent).find("not the run.h5 of a run"), std::string::npos);
}

TEST(HostileRun, WithFewerStepsThanValuesIsRefused) {
  const auto shorter = [](auto& content) {
    content.tensors["metrics/loss/steps"] = Tensor::from(std::vector<std::int64_t>{1}, {1});
  };
  EXPECT_NE(error_with(shorter).find("metrics/loss has 1 steps but 2 values"), std::string::npos);
}

}  // namespace
}  // namespace plumb::store
