// What tests of sealed files share.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "core/files/digest.h"

namespace plumb::test {

// The 16 bytes whose digits a digest is.
inline std::string raw_digest(std::string_view bytes) {
  const std::string digits = files::digest(bytes);
  std::string raw;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    std::uint8_t byte = 0;
    std::from_chars(&digits[i], &digits[i] + 2, byte, 16);
    raw += static_cast<char>(byte);
  }
  return raw;
}

}  // namespace plumb::test
