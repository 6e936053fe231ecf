// Starting from the parameters of another run.
#include "lab/run/origin.h"

#include <fmt/format.h>

#include <filesystem>

#include "lab/store/run_store.h"

namespace plumb::lab {
namespace {

store::Path file_in(const std::string& folder) { return store::Path(folder) / "origin.h5"; }

std::vector<optim::NamedTensor> parameters_in(const store::Checkpoint& c) {
  std::vector<optim::NamedTensor> out;
  for (const auto& t : c.tensors)
    if (t.name.starts_with("params/")) out.push_back({t.name, t.value});
  return out;
}

}  // namespace

Origin read_origin(const std::string& from) {
  if (!std::filesystem::is_directory(from)) {
    const auto c = store::load_checkpoint(from, "params");
    return {from, c.step, parameters_in(c), {}};
  }
  const store::CheckpointFolder checkpoints(store::Path(from) / "ckpt");
  const auto found = checkpoints.newest();
  if (!found.checkpoint)
    throw UserError("holds no whole checkpoint to start from", from, "name a run or a checkpoint file");
  Origin out{checkpoints.path_of(found.checkpoint->step), found.checkpoint->step, parameters_in(*found.checkpoint), {}};
  for (const auto& damage : found.damaged)
    out.warnings.push_back(fmt::format("{}; taking step {}, which is whole", damage, out.step));
  return out;
}

void keep_origin(const std::string& folder, const std::optional<Origin>& origin) {
  if (!origin) {
    files::remove_file(file_in(folder));  // of a run that is no more
    return;
  }
  store::Checkpoint kept;
  kept.step = origin->step;
  for (const auto& t : origin->parameters) kept.tensors.push_back({t.name, t.value});
  store::save_checkpoint(file_in(folder), kept);
}

std::optional<std::vector<optim::NamedTensor>> kept_origin(const std::string& folder) {
  // The file counts, not the journal: what the journal says of it may be lost.
  if (std::filesystem::exists(file_in(folder))) return parameters_in(store::load_checkpoint(file_in(folder), "params"));
  const auto provenance = store::read_run(folder).rows.provenance;
  const auto from = provenance.find("from");
  if (from == provenance.end() || from->second.empty()) return {};
  throw UserError(fmt::format("origin.h5 is missing: the parameters of {} that the run started from", from->second),
                  folder, "start a new run");
}

}  // namespace plumb::lab
