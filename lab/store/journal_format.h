// The bytes of a journal, for journal.cpp and journal_reader.cpp alone.
// header: "PlmbJrnl", u32 version, u32 CRC32C of these 12 bytes; record: u32 payload length, u32 type, payload, u32
// CRC32C of all before it. Numbers are little-endian; a string is u32 length and bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "core/files/digest.h"

namespace plumb::store::journal {

enum Type : std::uint32_t { metrics = 1, timing, event, checkpoint, describe, provenance };

constexpr std::string_view magic = "PlmbJrnl";
constexpr std::uint32_t version = 1;
constexpr std::uint64_t header_size = 16, record_overhead = 12;
constexpr std::uint32_t largest_payload = 64u << 20;

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

inline std::string header() {
  std::string bytes(magic);
  put(bytes, version);
  put(bytes, files::crc32c(files::as_bytes(bytes)));
  return bytes;
}

// Takes values from the front of a payload; `ok` turns false at the first that is not there.
struct Cursor {
  std::string_view left;
  bool ok = true;
  template <class T>
  T number() {
    T value{};
    ok &= left.size() >= sizeof value;
    if (!ok) return value;
    std::memcpy(&value, left.data(), sizeof value);
    left.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const auto n = number<std::uint32_t>();
    ok &= left.size() >= n;
    if (!ok) return {};
    const std::string value(left.substr(0, n));
    left.remove_prefix(n);
    return value;
  }
};

struct Record {
  std::uint64_t offset = 0;
  Type type = metrics;
  std::string_view payload;
};

// The whole record at `offset`, if there is one.
bool record_at(std::string_view file, std::uint64_t offset, Record& record);

// Calls `each` for whole records in order until one is not whole or `each` says stop (false). Returns the offset
// reached. Throws UserError when the header is not that of a journal.
std::uint64_t for_each_record(std::string_view file, const files::Path& path,
                              const std::function<bool(const Record&)>& each);

// The step of a row or checkpoint mark; -1 for records that belong to no step.
std::int64_t step_of(const Record& record);

}  // namespace plumb::store::journal
