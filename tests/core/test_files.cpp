// Whole files: atomic under failing calls and kills; digests and CRC against published values.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <fstream>

#include "core/files/atomic_file.h"
#include "core/files/digest.h"
#include "tests/files_support.h"

namespace plumb::files {
namespace {

using test::error_of;
using test::Folder;
using test::temporaries_in;
using test::WithFault;

constexpr Fault::Kind once = Fault::Kind::once, always = Fault::Kind::always;

TEST(AtomicFile, ReplacesTheWholeFile) {
  const Folder folder;
  write_atomically(folder / "a", "first, and longer");
  write_atomically(folder / "a", "second");
  EXPECT_EQ(read_text(folder / "a"), "second");
  write_atomically(folder / "empty", "");
  EXPECT_EQ(read_text(folder / "empty"), "");
  EXPECT_EQ(temporaries_in(folder.path()), 0);
}

TEST(AtomicFile, KeepsTheOldFileWhicheverCallFails) {
  const Folder folder;
  write_atomically(folder / "a", "old");
  for (const Op op : {Op::open, Op::write, Op::fsync, Op::rename}) {
    for (const auto kind : {once, always}) {
      const WithFault fault({op, 1, kind});
      const std::string error = error_of([&] { write_atomically(folder / "a", "new content"); });
      EXPECT_NE(error.find(folder.path().string()), std::string::npos) << error;
      EXPECT_EQ(temporaries_in(folder.path()), 0);
      set_fault(std::nullopt);
      EXPECT_EQ(read_text(folder / "a"), "old");
    }
  }
}

TEST(AtomicFile, SaysThatTheDiskIsFull) {
  const Folder folder;
  const WithFault fault({Op::write, 1, once});
  const std::string error = error_of([&] { write_atomically(folder / "a", "text"); });
  EXPECT_NE(error.find("No space left on device"), std::string::npos) << error;
  EXPECT_NE(error.find("hint: the disk is full"), std::string::npos) << error;
}

TEST(AtomicFile, KilledAtAnyCallLeavesOldOrNewAndATemporaryThatIsCleaned) {
  const Folder folder;
  int kills = 0;
  for (const auto kind : {Fault::Kind::kill_before, Fault::Kind::kill_within, Fault::Kind::kill_after}) {
    for (const Op op : all_ops) {
      for (int nth = 1; nth <= 2; ++nth) {
        write_atomically(folder / "a", "old");
        const pid_t child = fork();
        if (child == 0) {
          set_fault(Fault{op, nth, kind});
          write_atomically(folder / "a", "new");
          _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        kills += WIFSIGNALED(status);
        const std::string text = read_text(folder / "a");
        const bool renamed = !WIFSIGNALED(status) || nth == 2 || (op == Op::rename && kind == Fault::Kind::kill_after);
        EXPECT_EQ(text, renamed ? "new" : "old") << name_of(op) << nth;
        EXPECT_EQ(remove_stale_temporaries(folder.path()), temporaries_in(folder.path()) == 0 ? 0 : 1);
        EXPECT_EQ(temporaries_in(folder.path()), 0);
      }
    }
  }
  EXPECT_EQ(kills, 18);  // two opens, one write, two fsyncs, one rename: the file's and the folder's
}

TEST(AtomicFile, CleaningLeavesTheTemporaryOfALivingWriterAlone) {
  const Folder folder;
  const Fd living = open_file(folder / ".a.1-1.plumb-tmp", O_RDWR | O_CREAT);
  ASSERT_EQ(flock(living.get(), LOCK_EX), 0);
  std::ofstream(folder / ".a.1-2.plumb-tmp") << "dead";
  EXPECT_EQ(remove_stale_temporaries(folder.path()), 1);
  EXPECT_TRUE(std::filesystem::exists(folder / ".a.1-1.plumb-tmp"));
}

TEST(MappedFile, RefusesWhatIsMissingTooLargeOrNoFile) {
  const Folder folder;
  write_atomically(folder / "a", "0123456789");
  EXPECT_NE(error_of([&] { MappedFile(folder / "a", 9); }).find("10 bytes"), std::string::npos);
  EXPECT_NE(error_of([&] { MappedFile(folder / "none"); }).find("No such file"), std::string::npos);
  EXPECT_NE(error_of([&] { MappedFile(folder.path()); }).find("not a regular file"), std::string::npos);
}

TEST(Fault, IsReadFromText) {
  const Fault fault = parse_fault("rename:12:kill-after");
  EXPECT_EQ(fault.op, Op::rename);
  EXPECT_EQ(fault.nth, 12);
  EXPECT_EQ(fault.kind, Fault::Kind::kill_after);
  EXPECT_EQ(to_string(fault), "rename:12:kill-after");
  for (const char* bad :
       {"", "write", "write:", "write:0", "write:x", "write:1:often", "write:1:", "write:1once", "erase:1"}) {
    EXPECT_NE(error_of([&] { parse_fault(bad); }), "") << bad;
  }
}

TEST(Digest, AgreesWithPublishedValues) {
  EXPECT_EQ(digest(""), "99aa06d3014798d86001c324468d497f");  // XXH3-128 of nothing
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\0'))), 0x8a9136aau);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\xff'))), 0x62a8ab43u);
}

TEST(Digest, OfACrcGoesOnWhereItStopped) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto first = crc32c(as_bytes(std::string_view(text).substr(0, cut)));
    EXPECT_EQ(crc32c(as_bytes(std::string_view(text).substr(cut)), first), crc32c(as_bytes(text)));
  }
}

TEST(Digest, OfAFileIsThatOfItsBytesHoweverMany) {
  const Folder folder;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{32} << 20, (std::size_t{64} << 20) + 5}) {
    std::string bytes(size, 'x');
    for (std::size_t i = 0; i < size; i += 4099) bytes[i] = static_cast<char>(i);
    std::ofstream(folder / "f", std::ios::binary) << bytes;
    const MappedFile file(folder / "f");
    EXPECT_EQ(digest(file), digest(bytes));
    EXPECT_EQ(as_text(file.bytes()), bytes);  // its memory was given back, and is read again
  }
}

TEST(Digest, OfTensorsIsThatOfTheirContentAlone) {
  const Tensor a = Tensor::of<float>({1, 2, 3, 4, 5, 6}), b = Tensor::of<std::int64_t>({7});
  const Tensor wide = a.reshape({2, 3});
  EXPECT_EQ(digest({{"a", a}, {"b", b}}), digest({{"b", b}, {"a", a}}));
  EXPECT_EQ(digest({"a", a}), digest({"a", Tensor::of<float>({1, 2, 3, 4, 5, 6})}));
  EXPECT_NE(digest({"a", a}), digest({"a", wide}));                                                // shape
  EXPECT_NE(digest({"a", a}), digest({"c", a}));                                                   // name
  EXPECT_NE(digest({"a", Tensor::of<float>({0})}), digest({"a", Tensor::of<std::int32_t>({0})}));  // dtype
  EXPECT_NE(digest({"a", Tensor::of<float>({0.0f})}), digest({"a", Tensor::of<float>({-0.0f})}));
  EXPECT_NE(error_of([&] { digest({{"a", a}, {"a", b}}); }).find("occurs twice"), std::string::npos);
}

}  // namespace
}  // namespace plumb::files
