// A configuration: TOML, then `--set` assignments behind a line of "%%", one a line. What is read is written and read
// again; options that were accepted come back the same.
#include "lab/check/check.h"
#include "lab/config/read.h"
#include "lab/run/run_config.h"
#include "tests/fuzz/fuzz.h"

namespace plumb::fuzz {
namespace {

constexpr std::string_view divider = "%%\n";

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

void fuzz(std::string_view input) {
  const auto middle = std::min(input.find(divider), input.size());
  Value root = parse_toml(input.substr(0, middle), "input");
  if (middle < input.size()) {
    for (const auto& assignment : lines_of(input.substr(middle + divider.size())))
      accepted([&] { apply_set(root, assignment); });
  }
  const std::string written = write_toml(root);
  PLUMB_ASSERT(write_toml(parse_toml(written, "written")) == written);
  write_json(root);

  const MemoryFile file(input.substr(0, middle));
  accepted([&] { lab::read_case(file.path()); });
  lab::RunConfig config;
  read(root, config);
  const std::string resolved = resolved_toml(config);
  lab::RunConfig again;
  read(parse_toml(resolved, "resolved"), again);
  PLUMB_ASSERT(resolved_toml(again) == resolved);
}

std::vector<std::string> seeds() {
  lab::RunConfig sound;
  sound.model.context = sound.data.copy_language.length - 1;
  return {resolved_toml(sound),
          "[run]\nsteps = 1e3\n[data]\nkind = \"text\"\npath = [\"a.txt\", 'b*']\n%%\nrun.seed=7\noptim.lr = 1e-3\n",
          "a.b.c = {d = [1, [2.5, inf], \"\\u00e9\"]}\n[[t]]\nx = true\n[[t]]\nx = 0x1F\n%%\na=[1,2]\n",
          "check = \"rows\"\ncase = 3\nseed = 11\nfull = false\n"};
}

}  // namespace plumb::fuzz
