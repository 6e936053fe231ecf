// The command line; everything it does lives in libplumb (lab/cli).
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
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

// A member of a sweep ends with the sweep, even where that is killed: the one started next would meet it at work.
void end_with_parent() {
  const char* parent = std::getenv("PLUMB_PARENT");
  if (!parent) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (std::atol(parent) != getppid()) _exit(137);  // it ended before it could be heard of
}

}  // namespace

int main(int argc, char** argv) {
  end_with_parent();
  wait_briefly(argv);
  plumb::memory::set_fault_from_environment();
  return plumb::cli::run_command_line(argc, argv);
}
