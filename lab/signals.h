// Ctrl-C and termination: the first asks the work to stop at a good place, the second ends at once.
#pragma once

#include <exception>

namespace plumb {

// From here on SIGINT and SIGTERM set a flag; a second one ends the process as the signal would have by default.
void watch_signals();

bool stop_requested() noexcept;  // costs one load; poll it between steps
void request_stop() noexcept;    // as a signal would
void clear_stop() noexcept;

// Thrown where stopping early leaves no result; the command line turns it into exit code 130.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

}  // namespace plumb
