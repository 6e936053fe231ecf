// Opens plugins.
#include "lab/cli/plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string_view>

#include "core/errors.h"

namespace plumb::cli {

void load_plugin(const std::string& path) {
  if (!std::filesystem::is_regular_file(path))
    throw UserError("there is no such plugin", path, "--plugin ./libmy_loss.so");
  const std::string full = std::filesystem::absolute(path).string();  // a bare name would be sought in system folders
  void* handle = ::dlopen(full.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* why = ::dlerror();
    throw UserError(fmt::format("cannot be loaded: {}", why ? why : "no reason given"), path,
                    "build it with plumb_add_objective() against this build of Plumb");
  }
  using Abi = const char* (*)();
  const auto abi = reinterpret_cast<Abi>(::dlsym(handle, "plumb_plugin_abi"));
  const std::string_view found = abi ? abi() : "";
  if (found == PLUMB_ABI) return;
  throw UserError(
      abi ? fmt::format("was built for \"{}\", but this is \"{}\"", found, PLUMB_ABI) : "is no plugin of Plumb", path,
      abi ? "build it again against this build" : "it must say PLUMB_PLUGIN() once");
}

}  // namespace plumb::cli
