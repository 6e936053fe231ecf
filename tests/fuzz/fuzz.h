// A fuzz target is one file tests/fuzz/NAME.cpp that defines `fuzz` and `seeds`, and `mend` where its inputs carry
// checksums. UserError is a right answer to any input; every other exception is a find, and so is OutOfMemory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/errors.h"
#include "core/files/system.h"

namespace plumb::fuzz {

void fuzz(std::string_view input);
std::vector<std::string> seeds();  // sound inputs, from which the fuzzer starts

// Makes lengths and checksums of a mutated input right, so that what stands behind them is reached.
[[gnu::weak]] void mend(std::string& input);

// Runs `work`; false when it was refused with an error in words.
template <class Work>
bool accepted(const Work& work) {
  try {
    work();
    return true;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const UserError&) {
    return false;
  }
}

// A file in memory, which readers open by its path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes);
  std::string path() const;

 private:
  files::Fd fd_;
};

const files::Path& folder();  // in memory, of this process, removed at its end

}  // namespace plumb::fuzz
