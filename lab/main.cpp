// The command line; everything it does lives in libplumb (lab/cli).
#include <unistd.h>

#include <cstdlib>

#include "core/memory_faults.h"
#include "lab/cli/command.h"

namespace {

// How long the threads of OpenMP wait in a loop before they sleep is read from the environment when its library loads.
// By default that is milliseconds, which halves the speed where programs share cores; ten microseconds cost nothing
// alone. So begin again with the setting, in the same process, unless the user made one.
void wait_briefly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  if (setenv("GOMP_SPINCOUNT", "10000", 0) == 0) execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  wait_briefly(argv);
  plumb::memory::set_fault_from_environment();
  return plumb::cli::run_command_line(argc, argv);
}
