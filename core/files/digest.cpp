// XXH3-128 over a canonical encoding, and a CRC32C that takes eight bytes a step.
#include "core/files/digest.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <new>

#include "core/errors.h"
#include "core/files/atomic_file.h"

namespace plumb::files {
namespace {

static_assert(std::endian::native == std::endian::little, "digests and files are little-endian");

class Hasher {
 public:
  Hasher() : state_(XXH3_createState()) {
    if (!state_) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
  }
  void add(const void* data, std::size_t bytes) {
    if (bytes > 0) XXH3_128bits_update(state_.get(), data, bytes);
  }
  void add(std::uint64_t number) { add(&number, sizeof number); }
  void add(std::string_view text) {  // with its length, so that "ab" + "c" is not "a" + "bc"
    add(static_cast<std::uint64_t>(text.size()));
    add(text.data(), text.size());
  }
  void add(const NamedTensor& tensor) {
    const Tensor value = tensor.value.to(cpu_device).contiguous();
    add(tensor.name);
    add(std::string_view(name_of(value.dtype())));
    add(static_cast<std::uint64_t>(value.dim()));
    for (const auto size : value.shape()) add(static_cast<std::uint64_t>(size));
    add(value.raw(), static_cast<std::size_t>(value.numel()) * size_of(value.dtype()));
  }
  std::string hex() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

// tables[k][b]: the CRC of byte b followed by k zero bytes.
constexpr auto crc_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) ? 0x82f63b78u : 0u);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t b = 0; b < 256; ++b) {
      tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xffu];
    }
  }
  return tables;
}();

}  // namespace

std::string digest(Bytes bytes) {
  Hasher hasher;
  hasher.add(bytes.data(), bytes.size());
  return hasher.hex();
}

std::string digest(const MappedFile& file) {
  constexpr std::size_t piece = 32 << 20;
  Hasher hasher;
  for (Bytes rest = file.bytes(); !rest.empty(); rest = rest.subspan(std::min(piece, rest.size()))) {
    hasher.add(rest.data(), std::min(piece, rest.size()));
    file.release();
  }
  return hasher.hex();
}

std::string digest(std::string_view text) { return digest(as_bytes(text)); }

std::string digest(const NamedTensor& tensor) {
  Hasher hasher;
  hasher.add(tensor);
  return hasher.hex();
}

std::string digest(const std::vector<NamedTensor>& tensors) {
  std::vector<const NamedTensor*> sorted;
  for (const auto& tensor : tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name < b->name; });
  Hasher hasher;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && sorted[i]->name == sorted[i - 1]->name) fail("digest", "the name {} occurs twice.", sorted[i]->name);
    hasher.add(*sorted[i]);
  }
  return hasher.hex();
}

std::uint32_t crc32c(Bytes bytes, std::uint32_t seed) {
  const auto& t = crc_tables;
  std::uint32_t crc = ~seed;
  const std::byte* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, p += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    word ^= crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= t[7 - k][(word >> (8 * k)) & 0xffu];
  }
  for (; left > 0; --left, ++p) crc = (crc >> 8) ^ t[0][(crc ^ static_cast<std::uint32_t>(*p)) & 0xffu];
  return ~crc;
}

}  // namespace plumb::files
