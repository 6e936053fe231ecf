// Files for tests of data: a scratch folder, and a SentencePiece model small enough to be written by hand.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace plumb::testing_support {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "plumb-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) std::abort();
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::size_t files() const {
    const std::filesystem::directory_iterator entries(path_);
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
  }

 private:
  std::filesystem::path path_;
};

// A protobuf field of wire type 2: tag, length, bytes.
inline std::string field(int number, const std::string& bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  for (auto n = bytes.size(); n > 0 || out.size() == 1; n >>= 7)
    out += static_cast<char>((n & 127) | (n > 127 ? 128 : 0));
  return out + bytes;
}

// A unigram model: <unk>, <s>, </s>, then the pieces with their scores.
inline std::string tiny_sentencepiece_model(const std::vector<std::pair<std::string, float>>& pieces) {
  const auto piece = [](const std::string& text, float score, char type) {
    std::string number(sizeof score, '\0');
    std::memcpy(number.data(), &score, sizeof score);
    return field(1, field(1, text) + '\x15' + number + '\x18' + type);
  };
  std::string model = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3);
  for (const auto& [text, score] : pieces) model += piece(text, score, 1);
  const std::string unigram = "\x18\x01";
  return model + field(2, unigram) + field(3, field(1, "identity"));
}

}  // namespace plumb::testing_support
