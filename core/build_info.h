// What this library was built from and with; written into every run's provenance.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace plumb {

struct BuildInfo {
  std::string version;                                         // "0.1.0"
  std::string commit;                                          // 40 hex digits, or "unknown" outside a git checkout
  bool modified = false;                                       // the working tree differed from the commit
  std::string compiler;                                        // "GNU 12.2.0"
  std::string flags;                                           // the options that decide bits
  std::string build_type;                                      // "Release", "Release, sanitizers"
  std::vector<std::pair<std::string, std::string>> libraries;  // name and version, as compiled against

  std::string source() const { return commit + (modified ? " (modified)" : ""); }
};

const BuildInfo& build_info();

}  // namespace plumb
