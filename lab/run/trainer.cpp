// One optimiser step: micro-batches into accumulators, one division by the counts of the whole batch, one update.
#include "lab/run/trainer.h"

#include <algorithm>
#include <cmath>

#include "autograd/blame.h"
#include "core/tensor_ops.h"

namespace plumb::lab {
namespace {

DType parameter_dtype(Precision p) { return p == Precision::f64 ? DType::f64 : DType::f32; }

// Adds tensors as a binary tree, however many come: equal levels meet.
class TreeSum {
 public:
  void add(Tensor t) {
    int level = 0;
    while (!stack_.empty() && stack_.back().first == level) {
      const Tensor left = stack_.back().second;
      stack_.pop_back();
      Tensor(left).add_(t);
      t = left;
      ++level;
    }
    stack_.emplace_back(level, std::move(t));
  }
  Tensor total() const { return stack_.back().second; }

 private:
  std::vector<std::pair<int, Tensor>> stack_;
};

}  // namespace

Trainer::Trainer(const RunConfig& config, const std::string& cache_folder, Device device)
    : Trainer(config.data.open(static_cast<std::uint64_t>(config.run.seed), cache_folder), config, device) {}

Trainer::Trainer(std::unique_ptr<TokenData> data, const RunConfig& config, Device device)
    : config_(config),
      device_(device),
      data_(std::move(data)),
      model_(std::make_unique<models::Gpt>(config.model_options(data_->vocab()))),
      schedule_(config.schedule, config.run.steps) {
  config_.model.vocab = data_->vocab();
  const Key init = Key(static_cast<std::uint64_t>(config.run.seed)).at("init");
  arena_ = std::make_unique<nn::Arena>(*model_, init, parameter_dtype(config.train.precision), device);
  if (config.train.precision == Precision::bf16) arena_->use_bf16_products();
  optimizer_ = std::make_unique<optim::Optimizer>(*arena_, config.optim);
  if (config.train.ema > 0) ema_ = std::make_unique<optim::Ema>(*arena_, config.train.ema);
  validation_ = data_->validation(config.run.eval_rows, config.model.context);
  data_->batch(0, 1, config.model.context);  // text too short for one row is refused here, not after a run has begun
}

models::GptPass Trainer::pass(std::int64_t row) const {
  return {.training = true,
          .key = Key(static_cast<std::uint64_t>(config_.run.seed))
                     .at("dropout")
                     .at(static_cast<std::uint64_t>(done_))
                     .at(static_cast<std::uint64_t>(row)),
          .trace = nullptr,
          .checkpoint_activations = config_.train.checkpoint_activations};
}

// Rows [first, last) of the batch, micro-batch by micro-batch, into the accumulators.
Trainer::Sums Trainer::accumulate(const Tensor& tokens, std::int64_t first, std::int64_t last, double whole_count) {
  const std::int64_t length = tokens.size(1) - 1;
  // Dropout masks are drawn for each row by itself, so that they do not depend on how rows are grouped.
  const std::int64_t most = config_.model.dropout > 0       ? 1
                            : config_.train.micro_batch > 0 ? config_.train.micro_batch
                                                            : last - first;
  Sums sums;
  for (std::int64_t row = first; row < last; row += most) {
    const Tensor rows = tokens.slice(0, row, std::min(last, row + most));
    piece_ = {row, rows.size(0)};
    const Tensor inputs = rows.slice(1, 0, length).contiguous().to(device_);
    const Tensor labels = rows.slice(1, 1, length + 1).contiguous().to(device_);
    const auto out = config_.loss(model_->token_logprobs(inputs, labels, pass(row)), labels);
    std::vector<Root> roots;
    for (const auto& term : out.loss) {
      roots.push_back(alignment::seeded(term, whole_count));
      double& into = term.name == "z_loss" ? sums.z : sums.cross_entropy;
      into = alignment::fold(into, term.rows_B.value());
    }
    for (const auto& metric : out.metrics) sums.log_z = alignment::fold(sums.log_z, metric.rows_B);
    backward(roots);
  }
  return sums;
}

Trainer::Sums Trainer::accumulate_leaves(const Tensor& tokens, double whole_count) {
  const std::int64_t batch = tokens.size(0), leaves = config_.train.leaves, size = batch / leaves;
  if (leaves == 1) {
    arena_->zero_grads();
    const Sums sums = accumulate(tokens, 0, batch, whole_count);
    arena_->finish_grads();
    return sums;
  }
  TreeSum tree;
  Sums all;
  for (std::int64_t leaf = 0; leaf < leaves; ++leaf) {
    arena_->zero_grads();
    const Sums sums = accumulate(tokens, leaf * size, (leaf + 1) * size, whole_count);
    arena_->finish_grads();
    tree.add(arena_->grads().clone());
    all.cross_entropy += sums.cross_entropy;
    all.z += sums.z;
    all.log_z += sums.log_z;
  }
  arena_->grads().copy_(tree.total());
  return all;
}

StepResult Trainer::step() {
  const std::int64_t length = config_.model.context;
  const Tensor tokens = data_->batch(done_, config_.train.batch, length);
  StepResult r;
  r.tokens = config_.train.batch * length;
  r.lr = schedule_(done_);
  const auto count = static_cast<double>(r.tokens);  // before the first backward: sequences are full
  const Sums sums = accumulate_leaves(tokens, count);
  r.loss = sums.cross_entropy / count;
  r.z_loss = config_.loss.z_loss * sums.z / count;
  r.log_z = sums.log_z / count;
  r.grad_norm = optim::global_norm(*arena_);
  r.finite = std::isfinite(r.loss + r.z_loss + r.log_z + r.grad_norm);  // what a log would show, too
  if (!r.finite) return r;
  r.clip_factor = optimizer_->step(r.lr, schedule_.peak(), r.grad_norm).clip_factor;
  if (ema_) ema_->update();
  ++done_;
  return r;
}

double Trainer::train_flops_per_token() const {
  const double forward = model_->forward_flops_per_token(config_.model.context);
  const double head = 2.0 * static_cast<double>(config_.model.width * config_.model.vocab);
  return 3 * forward + (config_.train.checkpoint_activations ? forward - head : 0);
}

namespace {

// The first parameter with a value (or gradient) that is not finite: "head holds NaN at index 5 of its [128,64]".
std::string spoiled(const nn::Arena& arena, Tensor (nn::Arena::*part)(const nn::Arena::Slot&) const, const char* what) {
  for (const auto& slot : arena.slots()) {
    const Tensor t = (arena.*part)(slot);
    const std::int64_t i = kernels::first_non_finite(t);
    if (i >= 0)
      return fmt::format("{} {} {} at index {} of its {}", slot.parameter->name, what,
                         name_of_non_finite(t.to_vector<double>()[static_cast<std::size_t>(i)]), i,
                         to_string(t.shape()));
  }
  return {};
}

// The row within a piece of `rows` that an index belongs to: along the first axis, or the second of [2, rows, T].
std::optional<std::int64_t> row_of(const NonFinite& e, std::int64_t rows) {
  if (rows == 1) return 0;
  const int axis = e.op == "token_logprobs" && !e.in_gradient ? 1 : 0;
  if (e.shape.size() <= axis || e.shape[axis] != rows) return {};
  std::int64_t inner = 1;
  for (int d = axis + 1; d < e.shape.size(); ++d) inner *= e.shape[d];
  return e.index / inner % rows;
}

}  // namespace

std::string Trainer::blamed_operator() {
  const Blame on;
  try {
    const Tensor tokens = data_->batch(done_, config_.train.batch, config_.model.context);
    accumulate_leaves(tokens, static_cast<double>(config_.train.batch * config_.model.context));
  } catch (const NonFinite& e) {
    const auto row = row_of(e, piece_.rows);
    return fmt::format("{}{}{}", e.where().empty() ? "" : e.where() + ": ", e.message(),  // the run has a better hint
                       row ? fmt::format(", in row {} of the batch", piece_.first + *row) : "");
  }
  return {};
}

std::string Trainer::blame() {
  std::string culprit = spoiled(*arena_, &nn::Arena::value, "holds");
  if (culprit.empty()) culprit = blamed_operator();
  if (culprit.empty()) culprit = spoiled(*arena_, &nn::Arena::grad, "has a gradient whose sum over rows is");
  if (culprit.empty()) culprit = "every value is finite, but the norm of the gradient overflows";
  return fmt::format("step {}: {}", done_, culprit);
}

namespace {

void note_peaks(const models::GptTrace& trace, AttentionPeaks& peaks) {
  const auto raise = [](double& to, double x) {
    if (!(x <= to)) to = x;  // NaN stays
  };
  for (const auto& block : trace.attention) {
    const Tensor top = kernels::reduce("max", kernels::Reduce::max, block.max_logit, {0, 1, 2}, false);
    if (&block == &trace.attention.front()) raise(peaks.first_block, top.item());
    raise(peaks.all_blocks, top.item());
  }
}

}  // namespace

double Trainer::evaluate(AttentionPeaks* peaks) {
  const NoGrad off;
  models::GptTrace trace;
  if (ema_) ema_->swap_with_parameters(), arena_->refresh();
  const std::int64_t rows = validation_.size(0), length = validation_.size(1) - 1;
  const std::int64_t most =
      std::max<std::int64_t>(1, config_.train.micro_batch > 0 ? config_.train.micro_batch : config_.train.batch);
  double total = 0;
  for (std::int64_t row = 0; row < rows; row += most) {
    const Tensor part = validation_.slice(0, row, std::min(rows, row + most));
    const Tensor inputs = part.slice(1, 0, length).contiguous().to(device_),
                 labels = part.slice(1, 1, length + 1).contiguous().to(device_);
    const Var logprobs = model_->token_logprobs(inputs, labels, {.trace = peaks ? &trace : nullptr});
    total = alignment::fold(total, sum(-select(logprobs, 0, 0), {1}).value());
    if (peaks) note_peaks(trace, *peaks);
  }
  if (ema_) ema_->swap_with_parameters(), arena_->refresh();
  return total / static_cast<double>(rows * length);
}

std::optional<double> Trainer::entropy_floor() { return data_->entropy_floor(validation_); }

std::vector<optim::NamedTensor> Trainer::state() {
  std::vector<optim::NamedTensor> out;
  for (const auto& s : arena_->slots()) out.push_back({"params/" + s.parameter->name, arena_->value(s)});
  for (const auto& t : optimizer_->state()) out.push_back({"optim/" + t.name, t.value});
  for (const nn::State* s : model_->states()) out.push_back({"state/" + s->name, s->value});
  if (ema_)
    for (const auto& s : arena_->slots())
      out.push_back({"state/ema/" + s.parameter->name,
                     ema_->values().view_as(s.parameter->shape, row_major(s.parameter->shape), s.offset)});
  return out;
}

namespace {

// Copies each of `from` into the tensor of the same name; both must name the same ones.
void copy_named(const std::vector<optim::NamedTensor>& into, const std::vector<optim::NamedTensor>& from) {
  for (const auto& s : from)
    if (std::none_of(into.begin(), into.end(), [&](const auto& t) { return t.name == s.name; }))
      throw UserError(fmt::format("this run has no {}, which the checkpoint has", s.name), "checkpoint",
                      "it belongs to another model or optimiser");
  for (const auto& t : into) {
    const optim::NamedTensor* found = nullptr;
    for (const auto& s : from)
      if (s.name == t.name) found = &s;
    if (!found)
      throw UserError(fmt::format("the checkpoint has no {}", t.name), "checkpoint",
                      "it belongs to another model or optimiser");
    if (found->value.shape() != t.value.shape())
      throw UserError(fmt::format("{} is {} in the checkpoint but {} in this run", t.name,
                                  to_string(found->value.shape()), to_string(t.value.shape())),
                      "checkpoint", "it belongs to a model of another size");
    Tensor(t.value).copy_(found->value);
  }
}

}  // namespace

void Trainer::restore(const std::vector<optim::NamedTensor>& from, std::int64_t steps_done) {
  copy_named(state(), from);
  arena_->refresh();
  optimizer_->set_steps_done(steps_done);
  done_ = steps_done;
}

void Trainer::load_parameters(const std::vector<optim::NamedTensor>& params) {
  std::vector<optim::NamedTensor> mine;
  for (const auto& s : arena_->slots()) mine.push_back({"params/" + s.parameter->name, arena_->value(s)});
  copy_named(mine, params);
  arena_->refresh();
  if (ema_) Tensor(ema_->values()).copy_(arena_->values());
}

}  // namespace plumb::lab
