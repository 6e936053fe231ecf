// Learning-rate schedules.
#include "optim/schedule.h"

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "core/exact_math.h"

namespace plumb::optim {

void ScheduleOptions::fields(Fields& f) {
  f("decay", decay).one_of({"cosine", "linear", "wsd", "constant"}).help("what follows the warm-up");
  f("lr", lr).above(0).help("peak learning rate");
  f("init_lr", init_lr).at_least(0).help("learning rate at step 0");
  f("min_lr", min_lr).at_least(0).help("learning rate at the end").check([this] {
    return min_lr > lr && decay != Decay::constant ? std::string("must not exceed lr") : std::string();
  });
  f("warmup", warmup)
      .at_least(0)
      .help("length of the linear warm-up: a fraction of all steps when below 1, else steps");
  f("cooldown", cooldown)
      .at_least(0)
      .help("length of the final linear decay of wsd: a fraction when below 1, else steps");
}

namespace {

std::int64_t steps_of(double length, std::int64_t total) {
  return length < 1 ? static_cast<std::int64_t>(std::llround(length * static_cast<double>(total)))
                    : static_cast<std::int64_t>(length);
}

}  // namespace

Schedule::Schedule(const ScheduleOptions& o, std::int64_t total)
    : Schedule(o, total, steps_of(o.warmup, total), steps_of(o.cooldown, total)) {}

Schedule::Schedule(const ScheduleOptions& o, std::int64_t total, std::int64_t warmup, std::int64_t cooldown)
    : o_(o), total_(total), warmup_(warmup), cooldown_(cooldown) {
  if (warmup_ > total_)
    throw UserError(fmt::format("a warm-up of {} steps is longer than the run of {}", warmup_, total_), "schedule",
                    "lower schedule.warmup or raise run.steps");
  if (o.decay == Decay::wsd && warmup_ + cooldown_ > total_)
    throw UserError(fmt::format("warm-up ({}) and cooldown ({}) do not fit {} steps", warmup_, cooldown_, total_),
                    "schedule", "lower schedule.cooldown");
}

double Schedule::operator()(std::int64_t step) const {
  if (step < warmup_)
    return o_.init_lr + (o_.lr - o_.init_lr) * static_cast<double>(step) / static_cast<double>(warmup_);
  const auto share = [](std::int64_t done, std::int64_t of) {
    return of > 0 ? std::min(1.0, static_cast<double>(done) / static_cast<double>(of)) : 1.0;
  };
  const double fall = o_.lr - o_.min_lr;
  switch (o_.decay) {
    case Decay::constant: return o_.lr;
    case Decay::cosine: {
      if (total_ == warmup_) return o_.lr;
      return o_.min_lr + fall / 2 * (1 + exact::cos_pi(share(step - warmup_, total_ - warmup_)));
    }
    case Decay::linear: return total_ == warmup_ ? o_.lr : o_.lr - fall * share(step - warmup_, total_ - warmup_);
    case Decay::wsd: {
      const std::int64_t start = total_ - cooldown_;
      return step <= start ? o_.lr : o_.lr - fall * share(step - start, cooldown_);
    }
  }
  throw Bug("unknown schedule");
}

}  // namespace plumb::optim
