// The seal of a file: a table of (name, place, digest) of its parts and a digest of the whole, appended at its end.
// With it damage is noticed, and located, without parsing what may be damaged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/files/system.h"

namespace plumb::files {

struct SealedPart {
  std::string name;
  std::uint64_t offset = 0, size = 0;  // within the body
};

// The bytes to append behind `body`.
std::string make_seal(Bytes body, const std::vector<SealedPart>& parts);

struct SealCheck {
  bool sealed = false;               // there is a whole seal at the end of the file
  bool intact = false;               // ... and every byte is what was written
  std::vector<std::string> damaged;  // names of parts whose bytes differ, as far as the table can be trusted
};
SealCheck check_seal(Bytes file);

}  // namespace plumb::files
