// From argc and argv to an exit code.
#include <fmt/format.h>

#include <cstdio>
#include <initializer_list>
#include <new>
#include <string_view>

#include "core/backend.h"
#include "core/build_info.h"
#include "core/parallel.h"
#include "lab/cli/parse.h"
#include "lab/cli/plugin.h"
#include "lab/signals.h"

namespace plumb::cli {
namespace {

std::string json_text(std::string_view s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += fmt::format("\\{}", c);
    else if (c == '\n') out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20) out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else out += c;
  }
  return out + '"';
}

struct Outcome {
  int code;
  std::string_view what, where = {}, hint = {};
};

void put(std::initializer_list<std::string_view> parts) {
  for (const auto part : parts)
    if (!part.empty()) std::fwrite(part.data(), 1, part.size(), stderr);  // an empty one may be null
}

// In words, without asking for memory: there may be none.
int report(const Outcome& o, bool json) {
  put({"error: ", o.where, o.where.empty() ? "" : ": ", o.what, "\n"});
  if (!o.hint.empty()) put({"  hint: ", o.hint, "\n"});
  try {
    if (json)
      fmt::print("{{\"error\": {{\"what\": {}, \"where\": {}, \"hint\": {}, \"exit_code\": {}}}}}\n", json_text(o.what),
                 json_text(o.where), json_text(o.hint), o.code);
  } catch (const std::bad_alloc&) {
    put({"error: out of memory\n"});
  }
  return o.code;
}

int carry_out(const Request& request) {
  if (request.version) {
    const auto& build = build_info();
    fmt::print("plumb {} ({}{}, {}, {})\n", build.version, build.commit.substr(0, 12),
               build.modified ? ", modified" : "", build.compiler, build.build_type);
    return 0;
  }
  if (request.help || !request.command) {
    fmt::print("{}", request.command ? help_text(*request.command) : help_text());
    return 0;
  }
  const auto& common = request.arguments.common;
  if (common.threads > 0) set_num_threads(common.threads);
  if (!common.device.empty()) parse_device(common.device);
  for (const auto& p : common.plugins) load_plugin(p);
  watch_signals();
  return request.command->run(request.arguments);
}

// A full disk behind `plumb ... > file` must not look like success.
int flushed(int code) {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  std::fputs("error: standard output cannot be written\n", stderr);
  return code == 0 ? 1 : code;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  bool json = false;
  for (int i = 1; i < argc; ++i) json = json || std::string_view(argv[i]) == "--json";
  try {
    return flushed(carry_out(parse(argc, argv)));
  } catch (const UsageError& e) {
    return flushed(report({2, e.message(), e.where(), e.hint()}, json));
  } catch (const UserError& e) {
    return flushed(report({1, e.message(), e.where(), e.hint()}, json));
  } catch (const Interrupted& e) {
    return flushed(report({130, e.what()}, json));
  } catch (const std::bad_alloc&) {
    return flushed(report({1, "out of memory"}, json));
  } catch (const std::exception& e) {
    return flushed(report({1, e.what()}, json));
  }
}

}  // namespace plumb::cli
