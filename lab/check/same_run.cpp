// Comparing run folders.
#include "lab/check/same_run.h"

#include <algorithm>
#include <vector>

#include "core/files/atomic_file.h"
#include "lab/store/run_store.h"

namespace plumb::lab {

namespace fs = std::filesystem;

std::string first_difference_of_runs(const files::Path& a, const files::Path& b) {
  std::vector<std::string> names{"config.toml"};
  for (const auto& entry : fs::directory_iterator(a / "ckpt"))
    names.push_back("ckpt/" + entry.path().filename().string());
  for (const char* figure : {"loss.svg", "loss.png"})
    if (fs::exists(a / figure) && fs::exists(b / figure)) names.emplace_back(figure);
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    if (!fs::exists(b / name)) return name + " is missing";
    if (files::read_text(a / name) != files::read_text(b / name)) return name + " has other bytes";
  }
  const std::string digest = store::read_run(a).digest();
  if (store::read_run(b).digest() != digest) return "the logged values differ";
  return store::read_run(b / "run.h5").digest() == digest ? "" : "run.h5 differs from the journal";
}

std::string temporary_in(const files::Path& folder) {
  if (!fs::exists(folder)) return {};
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().filename().string().ends_with(".plumb-tmp")) return entry.path().string();
  return {};
}

}  // namespace plumb::lab
