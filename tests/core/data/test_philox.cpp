// Philox4x32-10 against the known answers that Random123 publishes, read from its own file.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "core/random.h"
#include "tests/data_folder.h"

namespace plumb {
namespace {

TEST(Philox, GivesEveryKnownAnswerOfRandom123) {
  PLUMB_DATA_OR_SKIP(data);
  std::ifstream file(data + "/random123/philox_kat.txt");
  ASSERT_TRUE(file);
  int checked = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    int rounds = 0;
    words >> name >> std::dec >> rounds >> std::hex;
    if (name != "philox4x32" || rounds != 10) continue;  // what we have
    std::uint32_t counter[4], key[2], want[4], got[4];
    for (auto& w : counter) words >> w;
    for (auto& w : key) words >> w;
    for (auto& w : want) words >> w;
    ASSERT_TRUE(words) << line;
    Philox::block(counter, key, got);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(got[i], want[i]) << line;
    ++checked;
  }
  EXPECT_EQ(checked, 3);
}

}  // namespace
}  // namespace plumb
