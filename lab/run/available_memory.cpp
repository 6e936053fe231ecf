// Limits as Linux states them: /proc/meminfo, control groups, getrlimit.
#include "lab/run/available_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>

namespace plumb::lab {
namespace {

using files::Path;

std::optional<double> number_in(const Path& path) {  // "max" is none
  std::ifstream file(path);
  double value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

// The number after a word: "MemAvailable: 123 kB", "inactive_file 123".
std::optional<double> number_after(const std::string& wanted, const Path& path) {
  std::ifstream file(path);
  for (std::string word; file >> word;)
    if (double value = 0; word == wanted && file >> value) return value;
  return {};
}

struct Memory {  // pages of /proc/self/statm, in bytes
  double size = 0, resident = 0, data = 0;
};

Memory memory_of_this_process(const Path& root) {
  std::ifstream file(root / "proc/self/statm");
  const auto page = static_cast<double>(sysconf(_SC_PAGE_SIZE));
  double size = 0, resident = 0, shared = 0, text = 0, library = 0, data = 0;
  file >> size >> resident >> shared >> text >> library >> data;
  return {size * page, resident * page, data * page};
}

// How one version of control groups names things.
struct Version {
  const char *mount, *limit, *usage, *reclaimable;  // pages of files, which the kernel gives up for the asking
};
constexpr Version first{"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                        "total_inactive_file"};
constexpr Version second{"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};

// Every group up to the root binds. In a container the path may be that of the host, of which only the root shows.
void narrow_by_groups(const Path& root, const Version& v, const Path& group, AvailableMemory& into) {
  const Path mount = root / v.mount;
  for (Path folder = mount / group.relative_path();; folder = folder.parent_path()) {
    const auto limit = number_in(folder / v.limit), usage = number_in(folder / v.usage);
    if (limit && usage) {
      const double left = *limit - *usage + number_after(v.reclaimable, folder / "memory.stat").value_or(0);
      if (left < into.bytes) into = {std::max(left, 0.0), "the control group"};
    }
    if (folder == mount) return;
  }
}

void narrow_by_control_groups(const Path& root, AvailableMemory& into) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "4:memory:/path", or "0::/path" for version 2
    const auto begin = line.find(':'), end = line.find(':', begin + 1);
    if (begin == std::string::npos || end == std::string::npos) continue;
    const std::string controllers = "," + line.substr(begin + 1, end - begin - 1) + ",", group = line.substr(end + 1);
    if (controllers == ",,") narrow_by_groups(root, second, group, into);
    else if (controllers.find(",memory,") != std::string::npos) narrow_by_groups(root, first, group, into);
  }
}

template <class Resource>
void narrow_by_limit(Resource resource, double used, const char* name, AvailableMemory& into) {
  rlimit limit{};
  getrlimit(resource, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return;
  const double left = std::max(static_cast<double>(limit.rlim_cur) - used, 0.0);
  if (left < into.bytes) into = {left, name};
}

}  // namespace

AvailableMemory available_memory(const Path& root) {
  const auto kilobytes = number_after("MemAvailable:", root / "proc/meminfo");
  AvailableMemory available{
      kilobytes ? *kilobytes * 1024
                : static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE)),
      "the machine"};
  narrow_by_control_groups(root, available);
  const Memory used = memory_of_this_process(root);
  narrow_by_limit(RLIMIT_AS, used.size, "ulimit -v", available);
  narrow_by_limit(RLIMIT_DATA, used.data, "ulimit -d", available);
  return available;
}

double resident_memory() { return memory_of_this_process("/").resident; }

}  // namespace plumb::lab
