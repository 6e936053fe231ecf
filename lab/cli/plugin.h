// Shared objects with objectives of the user's own. A plugin says PLUMB_PLUGIN() once; its registrations do the rest.
#pragma once

#include <string>

// What a plugin and the library must agree on: our interfaces, and the compiler that laid them out.
#define PLUMB_ABI "plumb-abi-1 " __VERSION__
#define PLUMB_PLUGIN() \
  extern "C" const char* plumb_plugin_abi() { return PLUMB_ABI; }

namespace plumb::cli {

// Loads it for the rest of the process. UserError says why it cannot be.
void load_plugin(const std::string& path);

}  // namespace plumb::cli
