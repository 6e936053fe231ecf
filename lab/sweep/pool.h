// Processes, a fixed number at a time: each a command of its own, with its errors kept in a file.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace plumb::lab {

struct Job {
  std::vector<std::string> command;
  std::string log;  // a file for what it writes to stderr; stdout is thrown away
};

// How a job ended: its exit status, or 128 + n when signal n ended it.
struct JobEnd {
  std::size_t job = 0;
  int status = 0;
};

// What the pool asks: the next job (false when there is none any more), and what it tells.
struct PoolWork {
  std::function<bool(std::size_t& job, Job& what)> next;
  std::function<void(const JobEnd&)> ended;
  std::function<void(std::size_t running)> waiting;  // several times a second
};

// Runs until there is no job left. When a stop is requested (lab/signals.h), the running ones are asked to stop, waited
// for, and false is given. Children die with this process, however it ends.
bool run_pool(std::size_t at_once, const PoolWork& work);

}  // namespace plumb::lab
