// The seal of HDF5 files: what checks a file before the library parses it. Sizes, magic and the table's hash are put
// right, the hash of the whole is not, so that the table is searched for the damage.
#include "core/files/seal.h"

#include <cstring>

#include "lab/store/checkpoint.h"
#include "tests/fuzz/fuzz.h"
#include "tests/seal_support.h"

namespace plumb::fuzz {
namespace {

constexpr std::size_t footer_size = 56;  // u64 body, u64 table, two hashes of 16 bytes, magic

std::string sealed(const std::string& body, const std::vector<files::SealedPart>& parts) {
  return body + files::make_seal(files::as_bytes(body), parts);
}

}  // namespace

void mend(std::string& file) {
  if (file.size() < footer_size) return;
  const std::size_t room = file.size() - footer_size;
  char* footer = &file[room];
  std::uint64_t table = 0;
  std::memcpy(&table, footer + 8, sizeof table);
  table = std::min<std::uint64_t>(table, room);
  const std::uint64_t body = room - table;
  std::memcpy(footer, &body, sizeof body);
  std::memcpy(footer + 8, &table, sizeof table);
  std::memcpy(footer + 16, test::raw_digest(std::string_view(file).substr(body, table)).data(), 16);
  std::memcpy(footer + 48, "PlmbSeal", 8);
}

void fuzz(std::string_view input) {
  const auto check = files::check_seal(files::as_bytes(input));
  PLUMB_ASSERT(check.sealed || (!check.intact && check.damaged.empty()));
  const MemoryFile file(input);
  PLUMB_ASSERT(check.intact || !store::damage_of_checkpoint(file.path()).empty());
}

std::vector<std::string> seeds() {
  const std::string body = "the bytes of three parts";
  return {sealed(body, {{"params/first", 0, 8}, {"params/second", 8, 10}, {"manifest", 18, 6}}), sealed("", {})};
}

}  // namespace plumb::fuzz
