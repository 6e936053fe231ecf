// plumb config: every key that a configuration may hold. docs/config.md is what it prints with --markdown.
#include <fmt/format.h>

#include "lab/cli/command.h"
#include "lab/config/read.h"
#include "lab/run/run_config.h"

namespace plumb::cli {
namespace {

constexpr const char* page_head = R"(# Keys of a configuration

<!-- Written by `plumb config --markdown`; a test compares. -->

A run is described by a TOML file; whatever it leaves out has the default below. `--set section.key=value` overrides a key on
the command line, and `plumb train FILE --dry-run` prints every key with the value that a run would have. A key that is
unknown, of another type, or out of its range is refused with its place in the file.

`plumb config` prints this page as text, `plumb config KEY` a part of it.
)";

std::vector<FieldInfo> all_keys() {
  lab::RunConfig config;
  return list_all_fields(visit_of(config));
}

// The key itself, the keys of a section, or the keys of that name in any section.
std::vector<FieldInfo> keys_called(const std::string& name) {
  std::vector<FieldInfo> found;
  std::vector<std::string> known;
  for (const auto& f : all_keys()) {
    const auto dot = f.path.find('.');
    const std::string section = f.path.substr(0, dot), key = f.path.substr(dot + 1);
    if (name == f.path || name == section || name == key) found.push_back(f);
    for (const auto& k : {f.path, section, key}) known.push_back(k);
  }
  if (!found.empty()) return found;
  const std::string near = nearest_name(name, known);
  throw UserError(fmt::format("there is no key \"{}\"", name), "config",
                  near.empty() ? "plumb config lists them" : fmt::format("did you mean \"plumb config {}\"?", near));
}

std::string as_json(const std::vector<FieldInfo>& keys) {
  List list;
  for (const auto& f : keys)
    list.emplace_back(Table{{"key", f.path, {}},
                            {"type", f.type, {}},
                            {"default", f.value, {}},
                            {"required", f.required, {}},
                            {"range", f.range, {}},
                            {"unit", f.unit, {}},
                            {"when", f.when, {}},
                            {"help", f.help, {}}});
  return write_json(Value(std::move(list)));
}

int config(const Arguments& a) {
  if (a.has("--markdown")) {
    if (!a.word("KEY").empty()) throw UsageError("prints the whole page and takes no KEY", "--markdown");
    lab::RunConfig defaults;
    fmt::print("{}{}", page_head, fields_markdown(visit_of(defaults)));
    return 0;
  }
  const auto keys = a.word("KEY").empty() ? all_keys() : keys_called(a.word("KEY"));
  fmt::print("{}{}", a.common.json ? as_json(keys) : fields_help(keys), a.common.json ? "\n" : "");
  return 0;
}

const Registration registered(
    {.name = "config",
     .group = Group::runs,
     .help = "list the keys of a configuration: type, range, default",
     .example = "plumb config schedule",
     .words = {{.name = "KEY", .help = "a key or a section; all when left out", .optional = true}},
     .options = {{"--markdown", "", "as the page docs/config.md"}},
     .without = {"--out", "--set", "--device", "--jobs", "--dry-run"},
     .run = config});

}  // namespace
}  // namespace plumb::cli
