// Text of any bytes: UTF-8 is judged and mended as one plain reading of the standard says, and chunks tile the text.
#include <optional>

#include "lab/data/token_file.h"
#include "lab/data/token_store.h"
#include "lab/data/tokenizer.h"
#include "lab/data/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace plumb::fuzz {
namespace {

// The length of the character at i, by its value: decoded, then refused where it is overlong, a surrogate or too large.
std::size_t character_at(std::string_view s, std::size_t i) {
  const auto first = static_cast<unsigned char>(s[i]);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc0 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf8 ? 4
                                            : 0;
  if (length == 0 || i + length > s.size()) return 0;
  std::uint32_t value = length == 1 ? first : first & (0x7fu >> length);
  for (std::size_t k = 1; k < length; ++k) {
    const auto byte = static_cast<unsigned char>(s[i + k]);
    if ((byte & 0xc0) != 0x80) return 0;
    value = value << 6 | (byte & 0x3f);
  }
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  return value < least[length] || surrogate || value > 0x10ffff ? 0 : length;
}

std::optional<std::size_t> plainly_first_invalid(std::string_view s) {
  for (std::size_t i = 0; i < s.size();) {
    const std::size_t length = character_at(s, i);
    if (length == 0) return i;
    i += length;
  }
  return {};
}

}  // namespace

void fuzz(std::string_view input) {
  const auto bad = first_invalid_utf8(input);
  PLUMB_ASSERT(bad == plainly_first_invalid(input));
  const std::string mended = replace_invalid_utf8(input);
  PLUMB_ASSERT(!first_invalid_utf8(mended));
  PLUMB_ASSERT(bad.has_value() == (mended != input));
  for (std::string_view rest = input; !rest.empty();) {
    const auto length = chunk_length(rest);
    PLUMB_ASSERT(length > 0 && length <= rest.size());
    rest.remove_prefix(length);
  }
  const MemoryFile file(input);
  const auto bytes = make_byte_tokenizer();
  const TokenStore store({file.path()}, *bytes, InvalidUtf8::error, "");
  std::vector<std::int64_t> tokens(input.size());
  store.read(0, store.size(), tokens.data());
  PLUMB_ASSERT(bytes->decode(tokens) == input);
}

std::vector<std::string> seeds() {
  return {"to be, or not to be\n", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xed\xa0\x80\xc0\xaf\xf4\x90\x80\x80",
          std::string(70000, 'x') + "\n" + std::string(9, '\xbf')};
}

}  // namespace plumb::fuzz
