// System calls that fail: each reason comes with a way out.
#include <fcntl.h>

#include <cerrno>

#include "core/files/atomic_file.h"
#include "tests/files_support.h"

namespace plumb::files {
namespace {

using test::error_of;
using test::Folder;

TEST(IoError, SaysTheWayOutOfEveryCommonReason) {
  const std::pair<int, const char*> hints[] = {{ENOSPC, "the disk is full"}, {EDQUOT, "quota"},
                                               {EACCES, "permissions"},      {EPERM, "permissions"},
                                               {EROFS, "read-only"},         {ENOENT, "does not exist"},
                                               {EISDIR, "this is a folder"}, {ENOTDIR, "is a file where"},
                                               {EMFILE, "ulimit -n"},        {EIO, "check the disk"}};
  for (const auto& [reason, hint] : hints) {
    const std::string error = error_of([&] { io_error("cannot write", "a/b", reason); });
    EXPECT_NE(error.find(hint), std::string::npos) << error;
    EXPECT_NE(error.find("a/b"), std::string::npos) << error;
  }
  EXPECT_EQ(error_of([] { io_error("cannot write", "a/b", EXDEV); }).find("hint"), std::string::npos);
}

TEST(SystemCalls, NameWhatTheyCouldNotDo) {
  const Folder folder;
  write_atomically(folder / "file", "x");
  EXPECT_NE(error_of([&] { make_folders(folder / "file/below"); }).find("cannot make the folder"), std::string::npos);
  EXPECT_NE(error_of([&] { rename_file(folder / "none", folder / "to"); }).find("in its place"), std::string::npos);
  EXPECT_NE(error_of([&] { open_file(folder / "none", O_RDONLY); }).find("cannot open"), std::string::npos);
  EXPECT_NE(error_of([&] { size_of_file(Fd(), "closed"); }).find("cannot read the size"), std::string::npos);
  EXPECT_NE(error_of([&] { sync_file(Fd(), "closed"); }).find("cannot flush"), std::string::npos);
  EXPECT_NE(error_of([&] { write_at(Fd(), "closed", as_bytes("x"), 0); }).find("cannot write"), std::string::npos);
  EXPECT_NE(error_of([&] { MappedFile mapped(folder.path()); }).find("not a regular file"), std::string::npos);
  EXPECT_NE(error_of([&] { MappedFile mapped(folder / "file", 0); }).find("more than the 0"), std::string::npos);
  EXPECT_NO_THROW(sync_folder(""));
  EXPECT_NO_THROW(sync_file(open_file("/proc/self/status", O_RDONLY), "a file that cannot be flushed"));
}

TEST(SystemCalls, AnEmptyFileIsEmpty) {
  const Folder folder;
  write_atomically(folder / "empty", "");
  const MappedFile mapped(folder / "empty");
  EXPECT_TRUE(mapped.bytes().empty());
  mapped.release();
  EXPECT_EQ(read_text(folder / "empty"), "");
}

TEST(Temporaries, OthersFilesAreNoneOfThem) {
  const Folder folder;
  for (const char* name : {".x", "x.plumb-tmp", ".x.1-0.plumb-tmp"}) write_atomically(folder / name, "x");
  EXPECT_EQ(remove_stale_temporaries(folder.path()), 1);
  EXPECT_EQ(remove_stale_temporaries(folder / "nowhere"), 0);
}

TEST(FaultText, IsRefusedWhereItIsNone) {
  for (const char* text :
       {"", "write", "read:1", "write:", "write:0", "write:-1", "write:1:sometimes", "write:99999999999"})
    EXPECT_NE(error_of([&] { parse_fault(text); }).find("is not understood"), std::string::npos) << text;
  EXPECT_EQ(parse_fault("open:2:once").nth, 2);
}

}  // namespace
}  // namespace plumb::files
