// One decoder step, used by both functions.
#include "lab/data/utf8.h"

#include <cstdint>
#include <cstring>

namespace plumb {
namespace {

struct Step {
  std::size_t length;  // of the character, or of the malformed piece
  bool valid;
};

// Table 3-7 of the Unicode standard: the second byte's range depends on the first.
Step step_at(std::string_view s, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(s[k]); };
  const unsigned first = byte(i);
  if (first < 0x80) return {1, true};
  if (first < 0xc2 || first > 0xf4) return {1, false};
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  unsigned low = 0x80, high = 0xbf;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  for (std::size_t k = 1; k < length; ++k) {
    if (i + k >= s.size() || byte(i + k) < low || byte(i + k) > high) return {k, false};
    low = 0x80, high = 0xbf;
  }
  return {length, true};
}

// Most text is plain ASCII: skip eight bytes at a time.
std::size_t skip_ascii(std::string_view s, std::size_t i) {
  std::uint64_t word;
  for (; i + sizeof word <= s.size(); i += sizeof word) {
    std::memcpy(&word, s.data() + i, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  return i;
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t i = skip_ascii(text, 0); i < text.size(); i = skip_ascii(text, i)) {
    const Step step = step_at(text, i);
    if (!step.valid) return i;
    i += step.length;
  }
  return {};
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Step step = step_at(text, i);
    if (step.valid) out.append(text.substr(i, step.length));
    else out += "\xef\xbf\xbd";
    i += step.length;
  }
  return out;
}

}  // namespace plumb
