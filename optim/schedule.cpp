// Learning-rate schedules.
#include "optim/schedule.h"

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "core/exact_math.h"

namespace plumb::optim {

namespace {

std::string whole_from_one(double length) {
  return length < 1 || length == std::floor(length) ? "" : "must be a fraction below 1 or a whole number of steps";
}

}  // namespace

void ScheduleOptions::fields(Fields& f) {
  f("decay", decay).one_of({"cosine", "linear", "wsd", "constant"}).help("what follows the warm-up");
  f("lr", lr).above(0).help("peak learning rate");
  f("init_lr", init_lr).at_least(0).help("learning rate at step 0");
  f("min_lr", min_lr).at_least(0).help("learning rate at the end");
  f("warmup", warmup)
      .at_least(0)
      .help("length of the linear warm-up: a fraction of all steps when below 1, else steps");
  f("cooldown", cooldown)
      .at_least(0)
      .help("length of the final linear decay of wsd: a fraction when below 1, else steps");
  f.rule({"warmup"}, [this] { return whole_from_one(warmup); });
  f.rule({"cooldown"}, [this] { return whole_from_one(cooldown); });
  f.rule({"min_lr", "lr"}, [this] {
    const bool fits = min_lr <= lr || decay == Decay::constant;
    return fits ? std::string() : fmt::format("must not exceed lr = {}", lr);
  });
}

namespace {

// In steps; as a number that may be too large for an integer.
double steps_of(double length, std::int64_t total) {
  return length < 1 ? std::round(length * static_cast<double>(total)) : length;
}

Complaint misfit_of(double rise, double fall, std::int64_t total) {
  const auto all = static_cast<double>(total);
  if (rise > all)
    return {fmt::format("of {} steps is longer than the run of {}", rise, total), "lower it, or raise run.steps"};
  if (rise + fall > all)
    return {fmt::format("of {} steps and a cooldown of {} do not fit a run of {}", rise, fall, total),
            "lower schedule.warmup or schedule.cooldown, or raise run.steps"};
  return {};
}

std::int64_t fitting(const ScheduleOptions& o, double length, std::int64_t total) {
  if (const Complaint c = o.misfit(total); !c.text.empty())  // before a length becomes an integer that it may not fit
    throw UserError("a warm-up " + c.text, "schedule.warmup", c.hint);
  return static_cast<std::int64_t>(steps_of(length, total));
}

}  // namespace

Complaint ScheduleOptions::misfit(std::int64_t total) const {
  return misfit_of(steps_of(warmup, total), decay == Decay::wsd ? steps_of(cooldown, total) : 0, total);
}

Schedule::Schedule(const ScheduleOptions& o, std::int64_t total)
    : Schedule(o, total, fitting(o, o.warmup, total), o.decay == Decay::wsd ? fitting(o, o.cooldown, total) : 0) {}

Schedule::Schedule(const ScheduleOptions& o, std::int64_t total, std::int64_t warmup, std::int64_t cooldown)
    : o_(o), total_(total), warmup_(warmup), cooldown_(o.decay == Decay::wsd ? cooldown : 0) {
  if (const Complaint c = misfit_of(static_cast<double>(warmup_), static_cast<double>(cooldown_), total);
      !c.text.empty())
    throw UserError("a warm-up " + c.text, "schedule.warmup", c.hint);
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
