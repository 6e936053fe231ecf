// Files where the system is odd: names that are taken, folders that cannot be listed, calls that are refused.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "core/files/atomic_file.h"
#include "lab/store/journal.h"
#include "lab/store/note.h"
#include "lab/store/run_store.h"
#include "tests/files_support.h"

namespace plumb::files {
namespace {

using test::error_of;
using test::Folder;

void expect_has(const std::string& error, const std::string& part) {
  EXPECT_NE(error.find(part), std::string::npos) << error;
}

TEST(AtomicFile, StepsAsideForANameThatIsTaken) {
  const Folder folder;
  std::vector<Call> made;
  record_calls(&made);
  write_atomically(folder / "f", "x");
  record_calls(nullptr);
  const std::string name = made.at(0).path.filename().string(), ending = ".plumb-tmp";  // .f.PROCESS-SERIAL.plumb-tmp
  const auto dash = name.rfind('-', name.size() - ending.size() - 1);
  const int serial = std::stoi(name.substr(dash + 1));
  const auto occupy = [&](int from, int to) {
    for (int i = from; i <= to; ++i)
      std::filesystem::create_directory(folder / (name.substr(0, dash + 1) + std::to_string(serial + i) + ending));
  };
  occupy(1, 3);
  write_atomically(folder / "f", "y");
  EXPECT_EQ(read_text(folder / "f"), "y");
  occupy(5, 1004);
  expect_has(error_of([&] { write_atomically(folder / "f", "z"); }), "cannot make a temporary file");
  EXPECT_EQ(read_text(folder / "f"), "y");
}

TEST(AtomicFile, LeavesTemporariesThatItMayNotRemove) {
  const Folder folder;
  write_atomically(folder / ".a.1-1.plumb-tmp", "x");
  std::filesystem::create_symlink("elsewhere", folder / ".b.1-1.plumb-tmp");
  {
    const test::WithFault fault({Op::remove, 1, Fault::Kind::once});
    EXPECT_EQ(remove_stale_temporaries(folder.path()), 0);
  }
  EXPECT_EQ(remove_stale_temporaries(folder.path()), 1);
  EXPECT_TRUE(std::filesystem::is_symlink(folder / ".b.1-1.plumb-tmp"));
}

TEST(MappedFile, SaysWhenThereIsNoRoom) {
  const Folder folder;
  write_atomically(folder / "f", "");
  std::filesystem::resize_file(folder / "f", std::uintmax_t{1} << 50);
  expect_has(error_of([&] { MappedFile(folder / "f", UINT64_MAX); }), "cannot map the file into memory");
}

TEST(Faults, AreWrittenExactly) {
  expect_has(error_of([] { parse_fault("write:3xonce"); }), "is not understood");
  EXPECT_EQ(to_string(parse_fault("write:3")), "write:3:once");
}

TEST(Folders, ThatCannotBeListedAreNotEmpty) {
  const Folder folder;
  std::filesystem::create_symlink("loop", folder / "loop");
  expect_has(error_of([&] { names_in(folder / "loop"); }), "cannot list the folder");
  EXPECT_TRUE(names_in(folder / "nowhere").empty());
  write_atomically(folder / "file", "x");
  EXPECT_TRUE(names_in(folder / "file").empty());
  const Path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  EXPECT_EQ(names_in(""), (std::vector<std::string>{"file", "loop"}));
  store::Journal::create("journal").sync();  // in the folder where we are
  std::filesystem::current_path(before);
  EXPECT_EQ(store::read_journal(folder / "journal").last_step, -1);
}

TEST(SystemCalls, ThatAreRefusedSaySo) {
  const Folder folder;
  write_atomically(folder / "f", "abc");
  const Fd none, reading = open_file(folder / "f", O_RDONLY);
  expect_has(error_of([&] { sync_file(none, "f"); }), "f: cannot flush to the disk: Bad file descriptor");
  expect_has(error_of([&] { truncate_file(reading, "f", 1); }), "cannot shorten the file: Invalid argument");
  expect_has(error_of([&] { write_at(reading, "f", as_bytes("x"), 0); }), "cannot write: Bad file descriptor");
  expect_has(error_of([&] { size_of_file(none, "f"); }), "cannot read the size");
  sync_file(open_file("/dev/null", O_RDONLY), "/dev/null");  // which knows no fsync
  const test::WithFault fault({Op::truncate, 1, Fault::Kind::once});
  expect_has(error_of([&] { truncate_file(reading, "f", 1); }), "cannot shorten the file: Input/output error");
}

TEST(SystemCalls, AreMadeAgainAfterASignal) {
  const Folder folder;
  const Path pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  struct sigaction silent {
  }, before{};
  silent.sa_handler = [](int) {};  // and without SA_RESTART: the call ends
  sigaction(SIGUSR1, &silent, &before);
  const pthread_t waiting = pthread_self();
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) usleep(20000), pthread_kill(waiting, SIGUSR1);
    usleep(20000);
    const Fd writer = open_file(pipe, O_WRONLY);
  });
  EXPECT_TRUE(open_file(pipe, O_RDONLY));  // waits for a writer
  other.join();
  sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace plumb::files

namespace plumb::store {
namespace {

using test::error_of;
using test::Folder;

TEST(NoteEdges, TakeWholeNumbersAndPassOverOthers) {
  const auto note = read_note(R"({"ending":"finished","val_loss":2,"entropy_floor":"low"})");
  ASSERT_TRUE(note);
  EXPECT_EQ(note->val_loss, 2.0);
  EXPECT_FALSE(note->entropy_floor);
  EXPECT_FALSE(read_note(R"({"ending":3})"));
  EXPECT_FALSE(read_note("nonsense"));
}

TEST(RunFileEdges, ARunIsReadFromRunH5Alone) {
  const Folder folder;
  RunContent run;
  run.config = "x = 1\n";
  run.rows.metrics["loss"] = {{"loss", "nats", ""}, {1, 2}, {2.0, 1.0}};
  run.rows.metrics["never"] = {{"never", "", ""}, {}, {}};
  files::make_folders(folder / "run");
  write_run_h5(folder / "run/run.h5", run);
  for (const auto& path : {folder / "run", folder / "run/run.h5"}) {
    const RunContent read = read_run(path);
    EXPECT_EQ(read.name, "run");
    EXPECT_EQ(read.digest(), run.digest());
    EXPECT_EQ(read.rows.last_step, 2);
    EXPECT_TRUE(read.rows.metrics.at("never").steps.empty());
  }
  EXPECT_NE(error_of([&] { RunStore::create(folder / "run", "", {}); }).find("there is a run here already"),
            std::string::npos);
  files::make_folders(folder / "empty");
  EXPECT_NE(error_of([&] { read_run(folder / "empty"); }).find("there is no run here"), std::string::npos);
}

}  // namespace
}  // namespace plumb::store
