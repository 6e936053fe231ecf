// plumb coord-check: does the size of activations follow the width of the model?
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "lab/cli/command.h"
#include "lab/config/read.h"
#include "lab/stability/coordinate_check.h"

namespace plumb::cli {
namespace {

std::vector<std::int64_t> widths_of(const std::string& list) {
  std::vector<std::int64_t> widths;
  for (const char* at = list.data(); at <= list.data() + list.size();) {
    std::int64_t width = 0;
    const auto [end, error] = std::from_chars(at, list.data() + list.size(), width);
    if (error != std::errc() || width < 1 || (*end != ',' && *end != '\0'))
      throw UsageError(fmt::format("`{}` is no list of widths", list), "--widths", "write --widths 64,128,256");
    widths.push_back(width);
    at = end + 1;
  }
  if (std::ranges::all_of(widths, [&](auto w) { return w == widths[0]; }))
    throw UsageError("a slope needs two different widths at least", "--widths", "write --widths 64,128,256");
  return widths;
}

std::int64_t at_least_one(const Arguments& a, const std::string& option, std::int64_t otherwise) {
  const std::int64_t n = a.integer(option, otherwise);
  if (n < 1) throw UsageError("needs a number of at least 1", option);
  return n;
}

lab::RunConfig config_of(const Value& root, std::int64_t head_size, std::int64_t width, std::int64_t seed) {
  Value own = root;
  lab::RunConfig config;
  apply_set(own, fmt::format("model.width={}", width));
  if (head_size > 0) {
    read(root, config);
    if (width % head_size != 0 || config.stability.base_width % head_size != 0)
      throw UsageError(fmt::format("heads of {} do not share out a width of {}", head_size,
                                   width % head_size != 0 ? width : config.stability.base_width),
                       "--head-size");
    apply_set(own, fmt::format("model.heads={}", width / head_size));
    apply_set(own, fmt::format("stability.base_heads={}", config.stability.base_width / head_size));
  }
  read(own, config);
  config.run.seed += seed;
  return config;
}

nlohmann::json json_of(const std::vector<lab::PartGrowth>& parts, const std::vector<std::int64_t>& widths) {
  nlohmann::json list = nlohmann::json::array();
  const auto number = [](double x) { return std::isfinite(x) ? nlohmann::json(x) : nlohmann::json(nullptr); };
  for (const auto& p : parts) {
    nlohmann::json steps = nlohmann::json::array();
    for (std::size_t i = 0; i < p.slopes.size(); ++i) {
      nlohmann::json sizes = nlohmann::json::array();
      for (const double size : p.sizes[i]) sizes.push_back(number(size));
      steps.push_back({{"slope", number(p.slopes[i].value)},
                       {"low", number(p.slopes[i].low)},
                       {"high", number(p.slopes[i].high)},
                       {"sizes", sizes}});
    }
    list.push_back({{"part", p.part}, {"verdict", lab::name_of(p.verdict)}, {"steps", steps}});
  }
  return {{"widths", widths}, {"parts", list}};
}

void print(const std::vector<lab::PartGrowth>& parts, std::int64_t seeds) {
  fmt::print("{:<24}", "slope with the width");
  for (std::size_t i = 0; i < parts[0].slopes.size(); ++i) fmt::print(" {:>14}", fmt::format("step {}", i + 1));
  fmt::print("  verdict\n");
  for (const auto& p : parts) {
    fmt::print("{:<24}", p.part);
    for (const auto& s : p.slopes) fmt::print(" {:>14}", fmt::format("{:+.2f} ± {:.2f}", s.value, s.high - s.value));
    fmt::print("  {}\n", lab::name_of(p.verdict));
  }
  if (std::ranges::any_of(parts, [](const auto& p) { return p.verdict == lab::Growth::unclear; }))
    fmt::print("unclear: more widths, or --seeds {}, narrow the intervals\n", 3 * seeds);
}

int coord_check(const Arguments& a) {
  const lab::CoordinateOptions options{.widths = widths_of(a.text("--widths", "64,128,256,512")),
                                       .seeds = at_least_one(a, "--seeds", 3)};
  const std::int64_t steps = at_least_one(a, "--steps", 4), head_size = a.integer("--head-size", 0);
  const Value root = load_config(a.word("CONFIG"), a.common.set);
  for (const auto width : options.widths) config_of(root, head_size, width, 0);  // before an hour is spent on others
  const auto parts = lab::check_coordinates(options, [&](std::int64_t width, std::int64_t seed) {
    const lab::RunConfig config = config_of(root, head_size, width, seed);
    return with_places(root, [&] { return lab::observe(config, steps); });
  });
  if (a.common.json) fmt::print("{}\n", json_of(parts, options.widths).dump());
  else print(parts, options.seeds);
  return std::ranges::all_of(parts, [](const auto& p) { return lab::passes(p.verdict); }) ? 0 : 1;
}

const Registration registered({.name = "coord-check",
                               .group = Group::studies,
                               .help = "whether activations grow with the width in a few steps",
                               .example = "plumb coord-check run.toml --set stability.parametrization=u_mup",
                               .words = {{.name = "CONFIG", .help = "a TOML file"}},
                               .options = {{"--widths", "LIST", "the widths to compare (64,128,256,512)"},
                                           {"--steps", "N", "observed steps, the first before any update (4)"},
                                           {"--seeds", "N", "runs of each width (3)"},
                                           {"--head-size", "N", "heads of this size; else model.heads of them"}},
                               .without = {"--out", "--device", "--jobs", "--dry-run"},
                               .run = coord_check});

}  // namespace
}  // namespace plumb::cli
