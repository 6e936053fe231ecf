// UTF-8: where it goes wrong, and how to mend it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace plumb {

// Offset of the first byte that does not belong to well-formed UTF-8 (no overlong forms, no surrogates, <= U+10FFFF).
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

// Every maximal malformed piece becomes one U+FFFD, as the Unicode standard recommends.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace plumb
