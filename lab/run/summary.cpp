// Lists and differences of runs.
#include "lab/run/summary.h"

#include <algorithm>
#include <bit>

#include "lab/config/read.h"
#include "lab/store/note.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

RunConfig config_of(const store::RunContent& run) {
  RunConfig c;
  read(parse_toml(run.config, run.name + "/config.toml"), c);
  return c;
}

std::optional<double> last_of(const store::JournalContent& rows, const char* name) {
  const auto it = rows.metrics.find(name);
  if (it == rows.metrics.end() || it->second.values.empty()) return {};
  return it->second.values.back();
}

std::string status_of(const store::RunContent& run) {
  if (!run.damage.empty()) return "damaged";
  if (run.rows.events.empty()) return "unfinished";
  const auto note = store::read_note(run.rows.events.back().json);
  return note ? note->ending : "unfinished";
}

}  // namespace

RunSummary summarise(const store::RunContent& run) {
  const RunConfig config = config_of(run);
  return {.name = run.name,
          .status = status_of(run),
          .steps = std::max<std::int64_t>(run.rows.last_step, 0),
          .seed = config.run.seed,
          .val_loss = last_of(run.rows, "val_loss"),
          .loss = last_of(run.rows, "loss")};
}

bool is_run(const std::string& folder) {
  return fs::exists(fs::path(folder) / "config.toml") && fs::exists(fs::path(folder) / "journal");
}

std::vector<std::string> runs_under(const std::string& folder) {
  std::vector<std::string> out;
  if (!fs::is_directory(folder)) return out;
  for (auto it = fs::recursive_directory_iterator(folder); it != fs::recursive_directory_iterator(); ++it) {
    if (!it->is_directory() || !is_run(it->path().string())) continue;
    out.push_back(it->path().string());
    it.disable_recursion_pending();
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string first_difference(const std::vector<files::NamedTensor>& a, const std::vector<files::NamedTensor>& b) {
  for (const auto& x : a) {
    const auto y = std::find_if(b.begin(), b.end(), [&](const auto& t) { return t.name == x.name; });
    if (y == b.end()) return fmt::format("{} is only in the first", x.name);
    if (same_bits(x.value, y->value)) continue;
    if (x.value.shape() != y->value.shape() || x.value.dtype() != y->value.dtype())
      return fmt::format("{} is {} {} | {} {}", x.name, name_of(x.value.dtype()), to_string(x.value.shape()),
                         name_of(y->value.dtype()), to_string(y->value.shape()));
    const auto left = x.value.to_vector<double>(), right = y->value.to_vector<double>();
    for (std::size_t i = 0; i < left.size(); ++i)
      if (std::bit_cast<std::uint64_t>(left[i]) != std::bit_cast<std::uint64_t>(right[i]))
        return fmt::format("{} differs first at index {}: {:.9g} | {:.9g}", x.name, i, left[i], right[i]);
    return fmt::format("{} differs beyond the digits of a double", x.name);
  }
  for (const auto& y : b)
    if (std::none_of(a.begin(), a.end(), [&](const auto& t) { return t.name == y.name; }))
      return fmt::format("{} is only in the second", y.name);
  return {};
}

std::vector<std::string> config_difference(RunConfig a, RunConfig b) {
  const auto left = list_fields(visit_of(a)), right = list_fields(visit_of(b));
  std::vector<std::string> out;
  const auto find = [](const std::vector<FieldInfo>& list, const std::string& path) -> const FieldInfo* {
    for (const auto& f : list)
      if (f.path == path) return &f;
    return nullptr;
  };
  for (const auto& f : left) {
    const FieldInfo* g = find(right, f.path);
    const std::string x = write_toml_value(f.value), y = g ? write_toml_value(g->value) : "not there";
    if (x != y) out.push_back(fmt::format("{}: {} | {}", f.path, x, y));
  }
  for (const auto& g : right)
    if (!find(left, g.path)) out.push_back(fmt::format("{}: not there | {}", g.path, write_toml_value(g.value)));
  return out;
}

namespace {

std::optional<std::string> metric_difference(const store::JournalContent& a, const store::JournalContent& b) {
  std::optional<std::string> found;
  std::int64_t at = INT64_MAX;
  for (const auto& [name, left] : a.metrics) {
    const auto it = b.metrics.find(name);
    if (it == b.metrics.end()) return fmt::format("only the first has {}", name);
    const auto& right = it->second;
    const std::size_t n = std::min(left.values.size(), right.values.size());
    for (std::size_t i = 0; i < n; ++i) {
      if (left.steps[i] == right.steps[i] &&
          std::bit_cast<std::uint64_t>(left.values[i]) == std::bit_cast<std::uint64_t>(right.values[i]))
        continue;
      if (left.steps[i] < at) {
        at = left.steps[i];
        found = fmt::format("{} differs first at step {}: {:.9g} | {:.9g}", name, at, left.values[i], right.values[i]);
      }
      break;
    }
    if (!found && left.values.size() != right.values.size())
      found = fmt::format("{} has {} values | {}", name, left.values.size(), right.values.size());
  }
  return found;
}

}  // namespace

Difference compare_runs(const std::string& a, const std::string& b) {
  const store::RunContent left = store::read_run(a), right = store::read_run(b);
  Difference d{config_difference(config_of(left), config_of(right)), metric_difference(left.rows, right.rows), {}};
  const store::CheckpointFolder fa(store::Path(a) / "ckpt"), fb(store::Path(b) / "ckpt");
  const auto sa = fa.steps(), sb = fb.steps();
  for (auto it = sa.rbegin(); it != sa.rend(); ++it) {
    if (std::find(sb.begin(), sb.end(), *it) == sb.end()) continue;
    const std::string text = first_difference(store::load_checkpoint(fa.path_of(*it)).tensors,
                                              store::load_checkpoint(fb.path_of(*it)).tensors);
    if (!text.empty()) d.tensors = fmt::format("{} (step {})", text, *it);
    break;
  }
  return d;
}

}  // namespace plumb::lab
