// Layout: body | table: per part u32 name length, name, u64 offset, u64 size, 16 bytes XXH3 | footer: u64 body size,
// u64 table size, 16 bytes XXH3 of the table, 16 bytes XXH3 of everything before these 16 bytes, 8 bytes magic.
#include "core/files/seal.h"

#include <xxhash.h>

#include <cstring>
#include <new>

namespace plumb::files {
namespace {

constexpr std::string_view magic = "PlmbSeal";
constexpr std::size_t hash_size = 16, footer_size = 8 + 8 + 2 * hash_size + 8;

std::string hash_of(Bytes bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  return {reinterpret_cast<const char*>(canonical.digest), hash_size};
}

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Takes values from the front of bytes; `ok` turns false at the first that is not there.
struct Cursor {
  Bytes left;
  bool ok = true;
  Bytes take(std::uint64_t n) {
    if (n > left.size()) {
      ok = false;
      return {};
    }
    const Bytes taken = left.first(n);
    left = left.subspan(n);
    return taken;
  }
  template <class T>
  T number() {
    T value{};
    const Bytes from = take(sizeof value);
    if (ok) std::memcpy(&value, from.data(), sizeof value);
    return value;
  }
};

// The whole file's hash covers body, table and the front of the footer.
std::string hash_of_whole(Bytes body, std::string_view behind) {
  XXH3_state_t* state = XXH3_createState();
  if (!state) throw std::bad_alloc();
  XXH3_128bits_reset(state);
  XXH3_128bits_update(state, body.data(), body.size());
  XXH3_128bits_update(state, behind.data(), behind.size());
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
  XXH3_freeState(state);
  return {reinterpret_cast<const char*>(canonical.digest), hash_size};
}

}  // namespace

std::string make_seal(Bytes body, const std::vector<SealedPart>& parts) {
  std::string table;
  for (const auto& part : parts) {
    put(table, static_cast<std::uint32_t>(part.name.size()));
    table += part.name;
    put(table, part.offset);
    put(table, part.size);
    table += hash_of(body.subspan(part.offset, part.size));
  }
  std::string seal = table;
  put(seal, static_cast<std::uint64_t>(body.size()));
  put(seal, static_cast<std::uint64_t>(table.size()));
  seal += hash_of(as_bytes(table));
  seal += hash_of_whole(body, seal);
  seal += magic;
  return seal;
}

SealCheck check_seal(Bytes file) {
  SealCheck check;
  if (file.size() < footer_size) return check;
  Cursor footer{file.last(footer_size)};
  const auto body_size = footer.number<std::uint64_t>();
  const auto table_size = footer.number<std::uint64_t>();
  const auto table_hash = as_text(footer.take(hash_size)), whole_hash = as_text(footer.take(hash_size));
  const std::uint64_t room = file.size() - footer_size;
  check.sealed = as_text(footer.left) == magic && table_size <= room && body_size == room - table_size;
  if (!check.sealed) return check;
  check.intact = whole_hash == hash_of(file.first(file.size() - hash_size - magic.size()));
  const Bytes body = file.first(body_size), table = file.subspan(body_size, table_size);
  if (check.intact || hash_of(table) != table_hash) return check;
  for (Cursor rows{table}; !rows.left.empty();) {
    const std::string name(as_text(rows.take(rows.number<std::uint32_t>())));
    const auto offset = rows.number<std::uint64_t>(), size = rows.number<std::uint64_t>();
    const auto hash = as_text(rows.take(hash_size));
    if (!rows.ok || offset > body_size || size > body_size - offset) break;
    if (hash_of(body.subspan(offset, size)) != hash) check.damaged.push_back(name);
  }
  return check;
}

}  // namespace plumb::files
