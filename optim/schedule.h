// Learning-rate schedules: a linear warm-up, then cosine (arXiv 1608.03983), linear, constant, or warm-up-stable-decay
// (2404.06395).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/fields.h"

namespace plumb::optim {

enum class Decay { cosine, linear, wsd, constant };

struct ScheduleOptions {
  Decay decay = Decay::cosine;
  double lr = 3e-3, init_lr = 0, min_lr = 1e-5;  // peak, at step 0, at the end
  double warmup = 0.1;                           // a fraction of all steps below 1, else steps
  double cooldown = 0.2;                         // of wsd: the same
  void fields(Fields& f);
  // Why warm-up and cooldown do not fit a run of so many steps; empty where they do.
  Complaint misfit(std::int64_t total_steps) const;
};

// lr(t) for t = 0, 1, ...; meets the peak at t = warmup_steps and the minimum at t = total_steps, where it stays.
class Schedule {
 public:
  // UserError where warm-up and cooldown do not fit.
  Schedule(const ScheduleOptions& options, std::int64_t total_steps);
  // With step counts in place of fractions.
  Schedule(const ScheduleOptions& options, std::int64_t total_steps, std::int64_t warmup_steps,
           std::int64_t cooldown_steps);
  double operator()(std::int64_t step) const;
  double peak() const { return o_.lr; }
  std::int64_t warmup_steps() const { return warmup_; }

 private:
  ScheduleOptions o_;
  std::int64_t total_, warmup_, cooldown_;
};

}  // namespace plumb::optim
