// Wrong numbers are put into outputs of operators, parameters and rows of data; the report must name what was spoiled.
#include "autograd/blame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "autograd/fault.h"
#include "core/random.h"
#include "lab/check/check.h"
#include "lab/check/numbers/variants.h"
#include "lab/check/small_run.h"
#include "lab/run/run_loop.h"

namespace plumb::lab {
namespace {

constexpr double values[] = {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity()};

// The cases, the variant under trial, and a trainer of it after one step.
class Court {
 public:
  explicit Court(Cases& cases) : cases_(cases) {}

  void open(const std::string& name, const RunConfig& config) {
    name_ = name;
    config_ = config;
    trainer_.reset();
    undisturbed_.clear();
  }
  Trainer& trainer() {
    if (!trainer_) {
      trainer_ = std::make_unique<Trainer>(config_);
      trainer_->step();
    }
    return *trainer_;
  }
  void forget() { trainer_.reset(); }
  // What the second step leads to when nothing is spoiled.
  const std::string& undisturbed() {
    if (undisturbed_.empty()) {
      Trainer t(config_);
      for (int i = 0; i < 2; ++i) t.step();
      undisturbed_ = digest_of(t);
    }
    return undisturbed_;
  }
  bool next() { return cases_.wants(++number_); }
  void judge(bool right, const std::string& crime, const std::string& said) {
    cases_.note(number_, right, fmt::format("{}: {}; said: {}", name_, crime, said));
  }

 private:
  Cases& cases_;
  std::int64_t number_ = -1;
  std::string name_;
  RunConfig config_;
  std::unique_ptr<Trainer> trainer_;
  std::string undisturbed_;
};

// Of one step.
std::int64_t operators_of(const RunConfig& config) {
  Trainer t(config);
  const Fault none(-1, 0, 0);
  t.step();
  return none.operators_seen();
}

// A NaN is not read where dropout puts zero in its place, and as the last value of a segment that is computed again, of
// which only what lies within is needed.
bool may_vanish(const RunConfig& c) { return c.model.dropout > 0 || c.train.checkpoint_activations; }

// The n-th operator of a step gives a wrong number. A NaN stops the step, which changes nothing, or was never read: then the
// step has the bits of an undisturbed one. An infinity may vanish on its way, as in tanh, but is found where it was made.
void spoil_operator(Court& court, std::int64_t n, std::uint64_t place, double value) {
  if (!court.next()) return;
  Trainer& t = court.trainer();
  const std::string crime = fmt::format("operator {} made {}", n, name_of_non_finite(value)), before = digest_of(t);
  bool harmless = true;
  if (std::isnan(value)) {
    const Fault fault(n, place, value);
    harmless =
        !t.step().finite ? digest_of(t) == before : may_vanish(t.config()) && digest_of(t) == court.undisturbed();
  }
  const Fault fault(n, place, value);
  const std::string said = t.blame();
  const auto& hit = fault.hit();
  const std::string wanted = !hit ? "an operator that was spoiled"
                                  : fmt::format("step {}: {}{}[{}] made {} at index {} of its output {}",
                                                t.steps_done(), hit->scope, hit->scope.empty() ? "" : ": ", hit->op,
                                                name_of_non_finite(value), hit->index, to_string(hit->shape));
  court.judge(harmless && said.starts_with(wanted), crime + (harmless ? "" : ", and the step went on"), said);
  if (t.steps_done() != 1) court.forget();
}

void spoil_parameter(Court& court, std::size_t slot, std::uint64_t place, double value) {
  if (!court.next()) return;
  Trainer& t = court.trainer();
  const auto& s = t.arena().slots()[slot];
  const auto index = static_cast<std::int64_t>(place % static_cast<std::uint64_t>(s.count));
  Tensor entry = t.arena().values().slice(0, s.offset + index, s.offset + index + 1);
  const Tensor kept = entry.clone();
  entry.fill_(value);
  const std::string said = t.blame(),
                    wanted = fmt::format("step 1: {} holds {} at index {} of its {}", s.parameter->name,
                                         name_of_non_finite(value), index, to_string(s.parameter->shape));
  entry.copy_(kept);
  court.judge(said == wanted, fmt::format("parameter {} held {}", s.parameter->name, value), said);
}

// A token that stands in one row of the batch alone, or -1.
std::int64_t token_of_row(const std::vector<std::int64_t>& tokens, std::int64_t row, std::int64_t length) {
  const auto begin = tokens.begin() + row * length, end = begin + length;
  for (auto it = begin; it != end; ++it)
    if (std::count(tokens.begin(), tokens.end(), *it) == std::count(begin, end, *it)) return *it;
  return -1;
}

// What a row is made of is too large: its squares overflow in the first norm.
void spoil_row(Court& court, std::int64_t row) {
  if (!court.next()) return;
  Trainer& t = court.trainer();
  const RunConfig& c = t.config();
  const auto tokens = t.data()
                          .batch(t.steps_done(), c.train.batch, c.model.context)
                          .slice(1, 0, c.model.context)
                          .contiguous()
                          .to_vector<std::int64_t>();
  const std::int64_t token = token_of_row(tokens, row, c.model.context);
  if (token < 0) return court.judge(false, "no token stands in one row alone", "nothing");
  const auto& table = t.arena().slots().front();
  t.arena().value(table).slice(0, token, token + 1).fill_(3e38);
  const bool stopped = !t.step().finite;
  const std::string said = t.blame(), where = fmt::format(", in row {} of the batch", row);
  court.judge(stopped && said.starts_with("step 1: blocks.0") && said.ends_with(where),
              fmt::format("row {} was too large", row), said);
  court.forget();
}

// Every operator and parameter in the long form, a few in the short one.
void try_variant(Court& court, const Variant& v, const Key& key, bool full) {
  court.open(v.name, v.config);
  std::uint64_t draws = 0;
  const auto chosen = [&] { return key.at("chosen").below(14, draws) == 0 || full; };
  const auto place = [&] { return key.at("place").below(1u << 30, draws); };
  const std::int64_t operators = operators_of(v.config);
  for (std::int64_t n = 0; n < operators; ++n)
    for (const double value : values) {
      if (chosen()) spoil_operator(court, n, place(), value);
      ++draws;
    }
  const std::size_t parameters = Trainer(v.config).arena().slots().size();
  for (std::size_t slot = 0; slot < parameters; ++slot)
    for (const double value : values) {
      if (chosen()) spoil_parameter(court, slot, place(), value);
      ++draws;
    }
  // Nothing of all this has left a trace.
  if (!court.next()) return;
  court.trainer().step();
  court.judge(digest_of(court.trainer()) == court.undisturbed(), "blame changed the run", "nothing");
}

CheckResult check_blame(const CheckOptions& o) {
  Cases cases(o, "wrong numbers traced to their source");
  Court court(cases);
  const Key key = Key(o.seed).at("blame");
  for (const Variant& v : variants())
    if (!v.name.starts_with("optim.") && !v.name.starts_with("schedule."))
      try_variant(court, v, key.at(v.name), o.full);
  for (const std::int64_t micro : {0, 3, 1})
    for (const std::int64_t leaves : {1, 2}) {
      RunConfig c = variants().front().config;
      c.data.copy_language.vocab = 600;
      c.train.micro_batch = micro;
      c.train.leaves = leaves;
      court.open(fmt::format("micro-batches of {}, {} leaves", micro, leaves), c);
      for (std::int64_t row = 0; row < c.train.batch; ++row)
        if (o.full || row % 3 == micro % 3) spoil_row(court, row);
    }
  RunConfig limit = variants().front().config;
  limit.loss.z_target = 1e308;
  court.open("loss.z_target = 1e308", limit);
  if (court.next()) {
    Trainer t(limit);
    const bool stopped = !t.step().finite;
    const std::string said = t.blame();
    court.judge(stopped && said.starts_with("step 0: [sub] made minus infinity at index 0"), "beyond f32", said);
  }
  return cases.result();
}

const CheckRegistration registered({.figure = "R15",
                                    .name = "blame",
                                    .help = "a NaN or an infinity is traced to what made it: operator, parameter, row",
                                    .run = check_blame});

}  // namespace
}  // namespace plumb::lab
