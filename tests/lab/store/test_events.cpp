// Event files: frames and fields as TensorBoard reads them.
#include <cstring>

#include "core/files/atomic_file.h"
#include "core/files/digest.h"
#include "lab/store/tensorboard.h"
#include "tests/files_support.h"

namespace plumb::store {
namespace {

// The messages of an event file; both CRCs of each frame are checked.
std::vector<std::string> messages_of(const Path& path) {
  const std::string file = files::read_text(path);
  const auto masked = [](std::string_view bytes) {
    const std::uint32_t crc = files::crc32c(files::as_bytes(bytes));
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  };
  std::vector<std::string> messages;
  for (std::size_t at = 0; at < file.size();) {
    std::uint64_t length = 0;
    std::uint32_t length_crc = 0, data_crc = 0;
    std::memcpy(&length, file.data() + at, 8);
    std::memcpy(&length_crc, file.data() + at + 8, 4);
    messages.push_back(file.substr(at + 12, length));
    std::memcpy(&data_crc, file.data() + at + 12 + length, 4);
    EXPECT_EQ(length_crc, masked(file.substr(at, 8)));
    EXPECT_EQ(data_crc, masked(messages.back()));
    at += 16 + length;
  }
  return messages;
}

TEST(EventFile, HoldsFramesThatTensorBoardReads) {
  const test::Folder folder;
  EventWriter writer(folder.path());
  writer.scalars(300, std::vector<NamedValue>{{"loss", 1.5}});
  writer.text("config", 0, "x = 1");
  const auto messages = messages_of(writer.path());
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].substr(9), std::string("\x1a\x0d") + "brain.Event:2");  // behind the wall time
  const float value = 1.5f;
  std::string expected =
      "\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15";  // step 300; summary { value { tag, simple_value
  expected += std::string(reinterpret_cast<const char*>(&value), 4);
  EXPECT_EQ(messages[1].substr(9), expected);
  EXPECT_NE(messages[2].find("config"), std::string::npos);
  EXPECT_NE(messages[2].find("x = 1"), std::string::npos);
}

TEST(EventFile, OfAResumedRunMakesLaterStepsVoid) {
  const test::Folder folder;
  const EventWriter first(folder.path()), second(folder.path(), 41);
  EXPECT_NE(first.path(), second.path());
  const auto messages = messages_of(second.path());
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[1].substr(9), "\x10\x2a\x3a\x02\x08\x01");  // step 42; session_log { status: START }
}

}  // namespace
}  // namespace plumb::store
