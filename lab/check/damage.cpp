// Damage: one bit of a stored run flips, or a file ends early. Whoever reads that file must say so and name it.
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <span>

#include "core/files/atomic_file.h"
#include "core/memory_faults.h"
#include "core/random.h"
#include "lab/check/child.h"
#include "lab/check/same_run.h"
#include "lab/check/small_run.h"
#include "lab/run/origin.h"
#include "lab/run/run_loop.h"

namespace plumb::lab {
namespace {

namespace fs = std::filesystem;

// Empty when the damage of a file was noticed and named, else what happened in place of that.
using Look = std::string (*)(const fs::path& run, const std::string& file);

template <class F>
std::string must_name(const std::string& file, F&& read) {
  try {
    const std::string found = read();
    return found.find(file) != found.npos ? "" : found.empty() ? "read as if it were whole" : found;
  } catch (const UserError& e) {
    return e.where().find(file) != std::string::npos ? "" : fmt::format("the error names another file: {}", e.what());
  }
}

std::string look_at_run(const fs::path& run, const std::string& file) {
  return must_name(file, [&] { return store::read_run(run).damage; });
}

std::string look_at_run_h5(const fs::path& run, const std::string& file) {
  return must_name(file, [&] { return store::read_run(run / file).damage; });
}

std::string look_at_origin(const fs::path& run, const std::string& file) {
  return must_name(file, [&] { return kept_origin(run.string()) ? "" : "taken for a run without an origin"; });
}

std::string look_at_older(const fs::path& run, const std::string& file) {
  return must_name(file, [&] { return store::damage_of_checkpoint(run / file); });
}

// The newest is damaged: the one before it is offered.
std::string look_at_newest(const fs::path& run, const std::string& file) {
  const auto found = store::CheckpointFolder(run / "ckpt").newest();
  if (!found.checkpoint || found.checkpoint->step != 2 || found.damaged.size() != 1) return "the older is not offered";
  return must_name(file, [&] { return found.damaged[0]; });
}

struct Part {
  std::string file;
  Look look;
  std::string bytes{};
  std::int64_t cases() const { return static_cast<std::int64_t>(bytes.size()) * 9; }  // 8 bits, and a cut, at each byte
};

constexpr std::size_t largest_allocation = 1 << 20;  // while reading files of at most 30 kB

// What one case does to the bytes of a part.
std::string damaged(const Part& part, std::int64_t which) {
  const auto at = static_cast<std::size_t>(which / 9);
  if (which % 9 == 8) return part.bytes.substr(0, at);
  std::string bytes = part.bytes;
  bytes[at] = static_cast<char>(bytes[at] ^ (1 << (which % 9)));
  return bytes;
}

std::string describe(const Part& part, std::int64_t which) {
  return which % 9 == 8 ? fmt::format("{} cut at byte {}", part.file, which / 9)
                        : fmt::format("bit {} of byte {} of {}", which % 9, which / 9, part.file);
}

// A run that began from another one, so that it has every kind of file.
class StoredRun {
 public:
  explicit StoredRun(const CheckOptions& o) : work_(o) {
    start_run(smallest_config(), {.folder = work_ / "first", .quiet = true});
    start_run(smallest_config(), {.folder = calm(), .from = work_ / "first", .quiet = true});
    fs::copy(calm(), run(), fs::copy_options::recursive);
    for (auto& part : parts_) part.bytes = files::read_text(run() / part.file);
  }

  std::span<const Part> parts() const { return parts_; }

  // Does the damage, looks, and mends it. Gives what went wrong.
  std::string try_case(const Part& part, std::int64_t which) const {
    put(part.file, damaged(part, which));
    const auto began = std::chrono::steady_clock::now();
    const memory::Watch watch;
    std::string wrong = part.look(run(), part.file);
    if (std::chrono::steady_clock::now() - began > std::chrono::minutes(1)) wrong = "took more than a minute";
    if (watch.largest() > largest_allocation) wrong = fmt::format("asked for {} bytes at once", watch.largest());
    const bool resumed_from = part.look != look_at_older;
    if (wrong.empty() && resumed_from && which % 199 == 0) wrong = go_on();
    put(part.file, part.bytes);
    return wrong;
  }

 private:
  fs::path calm() const { return work_ / "calm"; }
  fs::path run() const { return work_ / "run"; }

  void put(const std::string& file, const std::string& bytes) const {
    std::ofstream(run() / file, std::ios::binary | std::ios::trunc) << bytes;
  }

  // Resumed in spite of its damage, the run makes again what was lost, or says why it cannot.
  std::string go_on() const {
    const fs::path mended = work_ / "mended";
    fs::remove_all(mended);
    fs::copy(run(), mended, fs::copy_options::recursive);
    try {
      resume_run({.folder = mended.string(), .quiet = true});
    } catch (const UserError& e) {
      return e.where().empty() ? fmt::format("resuming fails without naming a file: {}", e.what()) : "";
    }
    const std::string difference = first_difference_of_runs(calm(), mended);
    return difference.empty() ? "" : "resumed, " + difference;
  }

  Workplace work_;
  Part parts_[6] = {{"config.toml", look_at_run},      {"journal", look_at_run},
                    {"run.h5", look_at_run_h5},        {"origin.h5", look_at_origin},
                    {"ckpt/000002.h5", look_at_older}, {"ckpt/000004.h5", look_at_newest}};
};

CheckResult check_damage(const CheckOptions& o) {
  Cases cases(o, "flips and cuts noticed");
  const StoredRun stored(o);
  const Key key = Key(o.seed).at("damage");
  std::int64_t number = 0;
  std::vector<std::string> details;
  for (const Part& part : stored.parts()) {  // as many cases of a short file as of a long one, where they are drawn
    const std::int64_t all = part.cases(), count = o.full ? all : 2000 / std::ssize(stored.parts()) + 1;
    for (std::int64_t i = 0; i < count; ++i, ++number) {
      if (!cases.wants(number)) continue;
      const auto draw = key.below(static_cast<std::uint64_t>(all), static_cast<std::uint64_t>(number));
      const std::int64_t which = o.full ? i : static_cast<std::int64_t>(draw);
      const std::string wrong = stored.try_case(part, which);
      cases.note(number, wrong.empty(), wrong.empty() ? wrong : describe(part, which) + ": " + wrong);
    }
    details.push_back(fmt::format("{}: {} bytes", part.file, part.bytes.size()));
  }
  CheckResult result = cases.result();
  result.details = std::move(details);
  return result;
}

const CheckRegistration registered({.figure = "R12",
                                    .name = "damage",
                                    .help = "a flipped bit or an early end of any file that a run is read from is "
                                            "noticed and named, and an older checkpoint is offered",
                                    .run = check_damage});

}  // namespace
}  // namespace plumb::lab
