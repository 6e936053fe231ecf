// Checkpoints as HDF5 files with a manifest.
#include "lab/store/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "core/files/atomic_file.h"
#include "core/files/hdf5_file.h"

namespace plumb::store {
namespace {

using files::Hdf5Content;
using files::Hdf5Reader;

constexpr std::int64_t format_version = 1;

// A line of the manifest: name, dtype, shape, digest.
std::string manifest_line(const NamedTensor& tensor) {
  return fmt::format("{}\t{}\t{}\t{}", tensor.name, name_of(tensor.value.dtype()), to_string(tensor.value.shape()),
                     files::digest(tensor));
}

std::vector<std::string> manifest_of(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> lines;
  for (const auto& tensor : tensors) lines.push_back(manifest_line(tensor));
  std::sort(lines.begin(), lines.end());
  return lines;
}

bool in_a_group(const std::string& name) {
  return name.starts_with("params/") || name.starts_with("optim/") || name.starts_with("state/");
}

template <class T>
T attribute(const std::map<std::string, files::Attribute>& all, const std::string& name, const Path& path) {
  const auto found = all.find(name);
  if (found == all.end() || !std::holds_alternative<T>(found->second)) {
    throw UserError(fmt::format("this is no checkpoint of Plumb: it has no attribute {}", name), path.string());
  }
  return std::get<T>(found->second);
}

// Every line must be a tensor that was read, unless only one group was wanted.
void check_manifest(const std::vector<std::string>& manifest, const Checkpoint& c, const std::string& group,
                    const Path& path) {
  std::vector<std::string> expected;
  for (const auto& line : manifest) {
    if (group.empty() || line.starts_with(group + "/")) expected.push_back(line);
  }
  const std::vector<std::string> found = manifest_of(c.tensors);
  if (expected == found) return;
  const auto [e, f] = std::mismatch(expected.begin(), expected.end(), found.begin(), found.end());
  const std::string& line = e != expected.end() ? *e : *f;
  throw UserError(
      fmt::format("the checkpoint is damaged: {} differs from the manifest", line.substr(0, line.find('\t'))),
      path.string());
}

Path path_in(const Path& folder, std::int64_t step) { return folder / fmt::format("{:06}.h5", step); }

}  // namespace

const Tensor* Checkpoint::find(const std::string& name) const {
  for (const auto& tensor : tensors) {
    if (tensor.name == name) return &tensor.value;
  }
  return nullptr;
}

void save_checkpoint(const Path& path, const Checkpoint& checkpoint) {
  Hdf5Content content;
  for (const auto& tensor : checkpoint.tensors) {
    if (!in_a_group(tensor.name)) fail("checkpoint", "{} is not under params/, optim/ or state/.", tensor.name);
    if (!content.tensors.emplace(tensor.name, tensor.value).second) {
      fail("checkpoint", "two tensors are named {}.", tensor.name);
    }
  }
  content.texts["manifest"] = manifest_of(checkpoint.tensors);
  content.attributes[""] = {{"format_version", format_version},
                            {"step", checkpoint.step},
                            {"seed", checkpoint.seed},
                            {"config", checkpoint.config},
                            {"config_digest", files::digest(checkpoint.config)},
                            {"content_digest", files::digest(checkpoint.tensors)},
                            {"isa", checkpoint.isa}};
  files::write_hdf5(path, content);
}

Checkpoint load_checkpoint(const Path& path, const std::string& group) {
  const Hdf5Reader file(path, "checkpoint");
  const auto all = file.attributes("");
  const auto version = attribute<std::int64_t>(all, "format_version", path);
  if (version != format_version) {
    throw UserError(fmt::format("the checkpoint has format {}, this Plumb reads {}", version, format_version),
                    path.string(), "use the version of Plumb that wrote it");
  }
  Checkpoint c;
  c.step = attribute<std::int64_t>(all, "step", path);
  c.seed = attribute<std::int64_t>(all, "seed", path);
  c.config = attribute<std::string>(all, "config", path);
  c.isa = attribute<std::string>(all, "isa", path);
  if (attribute<std::string>(all, "config_digest", path) != files::digest(c.config)) {
    throw UserError("the checkpoint is damaged: its config differs from its digest", path.string());
  }
  for (const auto& name : file.names()) {
    if (group.empty() ? in_a_group(name) : name.starts_with(group + "/"))
      c.tensors.push_back({name, file.tensor(name)});
  }
  check_manifest(file.texts("manifest"), c, group, path);
  return c;
}

std::string damage_of_checkpoint(const Path& path) {
  try {
    const Hdf5Reader file(path, "checkpoint");  // the seal covers every byte
    attribute<std::int64_t>(file.attributes(""), "step", path);
    return {};
  } catch (const UserError& error) {
    return fmt::format("{}: {}", error.where(), error.message());
  }
}

std::vector<std::int64_t> checkpointed_steps(const Path& folder) {
  std::vector<std::int64_t> found;
  for (const auto& name : files::names_in(folder)) {
    std::int64_t step = -1;
    std::from_chars(name.data(), name.data() + name.size(), step);
    if (step >= 0 && folder / name == path_in(folder, step)) found.push_back(step);
  }
  std::sort(found.begin(), found.end());
  return found;
}

CheckpointFolder::CheckpointFolder(Path folder) : folder_(std::move(folder)) {
  files::make_folders(folder_);
  files::remove_stale_temporaries(folder_);
}

Path CheckpointFolder::path_of(std::int64_t step) const { return path_in(folder_, step); }

Path CheckpointFolder::save(const Checkpoint& checkpoint, const Retention& retention) const {
  const Path path = path_of(checkpoint.step);
  save_checkpoint(path, checkpoint);
  prune(retention);
  return path;
}

CheckpointFolder::Found CheckpointFolder::newest(const std::function<bool(std::int64_t)>& usable) const {
  Found found;
  auto all = steps();
  std::reverse(all.begin(), all.end());
  for (const auto step : all) {
    if (usable && !usable(step)) continue;
    try {
      found.checkpoint = load_checkpoint(path_of(step));
      return found;
    } catch (const OutOfMemory&) {
      throw;  // says nothing about the file, and nor does the next
    } catch (const files::IoError&) {
      throw;
    } catch (const UserError& error) {
      found.damaged.push_back(fmt::format("{}: {}", error.where(), error.message()));
    }
  }
  return found;
}

void CheckpointFolder::prune(const Retention& retention) const {
  const auto all = steps();
  if (retention.keep_last <= 0) return;
  const auto keep_from = all.size() - std::min(all.size(), static_cast<std::size_t>(retention.keep_last));
  const bool whole = std::any_of(all.rbegin(), all.rend() - static_cast<std::ptrdiff_t>(keep_from),
                                 [&](auto step) { return damage_of_checkpoint(path_of(step)).empty(); });
  if (!whole) return;  // an older one may be all there is
  for (std::size_t i = 0; i < keep_from; ++i) {
    if (retention.keep_every > 0 && all[i] % retention.keep_every == 0) continue;
    files::remove_file(path_of(all[i]));  // one that stays is removed next time
  }
}

}  // namespace plumb::store
