// The life of a run: steps, evaluations, checkpoints, the journal; resumed where it stopped, ended cleanly by a signal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/run/trainer.h"
#include "lab/store/run_store.h"

namespace plumb::lab {

enum class Ending { finished, early_stopped, interrupted, diverged };
const char* name_of(Ending ending);

struct RunOutcome {
  Ending ending = Ending::finished;
  std::int64_t steps = 0;
  double val_loss = 0;
  std::optional<double> floor;  // entropy of the validation sequences, where the truth is known
  std::string sample, blame;    // a continuation; what went wrong when diverged
  std::vector<std::string> warnings;
};

struct RunRequest {
  std::string folder;
  std::string from = {};     // a checkpoint (or run) whose parameters to start from
  std::string command = {};  // for the provenance
  bool quiet = false;
  bool sample = true;        // draw the sample at the end
  bool check_memory = true;  // refuse what would not fit
  Device device = cpu_device;
};

// A new run in request.folder.
RunOutcome start_run(const RunConfig& config, const RunRequest& request);
// Goes on with the run in request.folder; a finished one is only reported.
RunOutcome resume_run(const RunRequest& request, const std::optional<RunConfig>& expected = {});

// The configuration a run was started with.
RunConfig config_of_run(const std::string& folder);
// Digest of parameters, moments and state: equal for equal runs.
std::string digest_of(Trainer& trainer);

// A continuation of the first tokens of a validation sequence, as text.
std::string sample_text(Trainer& trainer, std::int64_t tokens);

}  // namespace plumb::lab
