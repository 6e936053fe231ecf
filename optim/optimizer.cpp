// Optimiser rules. Formulas: small-scale proxies (arXiv 2309.14322), StableAdamW, Lion (2302.06675), Muon.
#include "optim/optimizer.h"

#include <cmath>

#include "core/exact_math.h"
#include "core/tensor_ops.h"

namespace plumb::optim {

using kernels::Binary;
using kernels::Unary;

void OptimizerOptions::fields(Fields& f) {
  f("rule", rule)
      .one_of({"adamw", "stable", "atan2", "lion", "sgd", "muon"})
      .help("muon: matrices of the blocks, adamw for the rest");
  f("betas", betas).at_least(0).below(1).help("decay of the first and second moment");
  f.rule({"betas"}, [this] { return betas.size() == 2 ? "" : "must hold two numbers"; });
  f("eps", eps).at_least(0).help("added to the root of the second moment");
  f("weight_decay", weight_decay).at_least(0).below(1).help("lambda; gains, biases and vectors do not decay");
  f("decay_mode", decay_mode).one_of({"independent", "coupled"}).help("lambda alone, or times the learning rate");
  f("clip_norm", clip_norm).at_least(0).help("clip the global gradient norm here; 0 = off");
  f("momentum", momentum).at_least(0).below(1).help("of sgd and muon");
  f("nesterov", nesterov).help("look ahead, for sgd and muon");
  f("accumulate", accumulate).one_of({"sum", "ema"}).help("muon's momentum");
  f("muon_scale", muon_scale).one_of({"moonlight", "keller"}).help("size of muon's update");
  f("muon_lr_factor", muon_lr_factor).above(0).help("learning rate of muon's matrices over that of the rest");
}

namespace {

// Tensor arithmetic in place of formulas: small helpers so that rules read as they are written on paper.
Tensor times(const Tensor& x, double s) { return kernels::scalar("optimizer", Binary::mul, x, s); }
Tensor plus(const Tensor& a, const Tensor& b) { return kernels::binary("optimizer", Binary::add, a, b); }
Tensor mix(const Tensor& a, double wa, const Tensor& b, double wb) { return plus(times(a, wa), times(b, wb)); }
void assign(const Tensor& to, const Tensor& from) { Tensor(to).copy_(from); }

double rms(const Tensor& x) {
  return x.numel() ? std::sqrt(backend_of(x).sum_of_squares(x.contiguous().view()) / static_cast<double>(x.numel()))
                   : 0;
}

// theta <- theta - lr * delta - decay * theta.
void descend(const Tensor& theta, const Tensor& delta, double lr, double decay) {
  assign(theta,
         kernels::binary("optimizer", Binary::sub, kernels::binary("optimizer", Binary::sub, theta, times(delta, lr)),
                         times(theta, decay)));
}

Tensor view_of(const Tensor& arena, const nn::Arena::Slot& s) {
  return arena.view_as(s.parameter->shape, row_major(s.parameter->shape), s.offset);
}

}  // namespace

double global_norm(const nn::Arena& arena) {
  double total = 0;
  for (const auto& s : arena.slots()) {
    const Tensor g = arena.grad(s);
    total += backend_of(g).sum_of_squares(g.view());
  }
  return std::sqrt(total);
}

Optimizer::Optimizer(nn::Arena& arena, const OptimizerOptions& o)
    : arena_(arena), o_(o), groups_(arena.slots().size()) {
  check_fields(o_, "optimizer");
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const nn::Parameter& p = *arena.slots()[i].parameter;
    groups_[i] = {.lr_multiplier = p.lr_multiplier, .decay_multiplier = p.decay_multiplier, .decays = p.decays};
  }
  m_ = Tensor::zeros(arena.values().shape(), arena.dtype(), arena.device());
  if (o_.rule != Rule::lion && o_.rule != Rule::sgd)
    u_ = Tensor::zeros(arena.values().shape(), arena.dtype(), arena.device());
  update_rms.resize(groups_.size());
}

bool Optimizer::is_muon(std::size_t i) const {
  const nn::Parameter& p = *arena_.slots()[i].parameter;
  return o_.rule == Rule::muon && p.role == nn::Role::hidden && p.shape.size() == 2;
}

double Optimizer::decay_factor(std::size_t i, double lr, double lr_peak) const {
  if (!groups_[i].decays || o_.weight_decay == 0) return 0;
  if (o_.decay_mode == DecayMode::coupled)
    return lr * groups_[i].lr_multiplier * o_.weight_decay * groups_[i].decay_multiplier;
  return lr_peak > 0 ? lr / lr_peak * o_.weight_decay : 0;
}

StepReport Optimizer::step(double lr, double lr_peak, std::optional<double> grad_norm) {
  StepReport report{.grad_norm = grad_norm ? *grad_norm : global_norm(arena_), .clip_factor = 1};
  if (o_.clip_norm > 0 && report.grad_norm > o_.clip_norm) report.clip_factor = o_.clip_norm / report.grad_norm;
  ++steps_;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const double eta = lr * groups_[i].lr_multiplier, decay = decay_factor(i, lr, lr_peak);
    if (o_.rule == Rule::lion) lion(i, eta, decay, report.clip_factor);
    if (o_.rule == Rule::sgd) sgd(i, eta, decay, report.clip_factor);
    if (is_muon(i)) muon(i, eta * o_.muon_lr_factor, decay, report.clip_factor);
  }
  if (o_.rule != Rule::lion && o_.rule != Rule::sgd) adam(lr, lr_peak, report.clip_factor);
  arena_.values().storage()->changed();
  arena_.refresh();
  return report;
}

// r = sqrt(mean(g^2 / max(u_hat, eps^2))) with the new second moment; the learning rate is divided by max(1, r).
double Optimizer::stable_divisor(std::size_t i, double clip) const {
  const auto& slot = arena_.slots()[i];
  const Tensor g = times(arena_.grad(slot), clip), u = view_of(u_, slot),
               squared = kernels::unary("optimizer", Unary::square, g);
  const double bias2 = 1 - exact::pow(o_.betas[1], static_cast<double>(steps_));
  const Tensor u_hat = times(mix(u, o_.betas[1], squared, 1 - o_.betas[1]), 1 / bias2);
  const Tensor floor = kernels::scalar("optimizer", Binary::maximum, u_hat, o_.eps * o_.eps);
  const Tensor ratio = kernels::binary("optimizer", Binary::div, squared, floor);
  const double mean = kernels::reduce("optimizer", kernels::Reduce::sum, ratio, {}, false).item() /
                      static_cast<double>(std::max<std::int64_t>(slot.count, 1));
  return std::max(1.0, std::sqrt(mean));
}

void Optimizer::adam(double lr, double lr_peak, double clip) {
  std::vector<kernels::AdamSlice> slices;
  std::vector<Tensor> before;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (is_muon(i)) continue;
    const auto& slot = arena_.slots()[i];
    kernels::AdamSlice s{.offset = slot.offset,
                         .count = slot.count,
                         .lr = lr * groups_[i].lr_multiplier,
                         .decay = decay_factor(i, lr, lr_peak),
                         .gradient_scale = clip};
    if (o_.rule == Rule::stable) {
      const double r = stable_divisor(i, clip);
      s.lr /= r;
      if (o_.decay_mode == DecayMode::coupled) s.decay /= r;
    }
    slices.push_back(s);
    if (keep_updates) before.push_back(arena_.value(slot).clone());
  }
  const kernels::Adam a{.param = arena_.values().raw(),
                        .grad = arena_.grads().raw(),
                        .m = m_.raw(),
                        .u = u_.raw(),
                        .dtype = arena_.dtype(),
                        .beta1 = o_.betas[0],
                        .beta2 = o_.betas[1],
                        .eps = o_.eps,
                        .bias1 = 1 - exact::pow(o_.betas[0], static_cast<double>(steps_)),
                        .bias2 = 1 - exact::pow(o_.betas[1], static_cast<double>(steps_)),
                        .atan2 = o_.rule == Rule::atan2};
  backend(arena_.device()).adam(a, slices.data(), static_cast<int>(slices.size()));
  if (!keep_updates) return;
  for (std::size_t i = 0, k = 0; i < groups_.size(); ++i) {
    if (is_muon(i)) continue;
    const kernels::AdamSlice& s = slices[k];
    const Tensor moved =
        kernels::binary("optimizer", Binary::sub, times(before[k++], 1 - s.decay), arena_.value(arena_.slots()[i]));
    update_rms[i] = s.lr > 0 ? rms(moved) / s.lr : 0;
  }
}

void Optimizer::lion(std::size_t i, double lr, double decay, double clip) {
  const auto& slot = arena_.slots()[i];
  const Tensor g = times(arena_.grad(slot), clip), m = view_of(m_, slot);
  const Tensor delta = kernels::unary("lion", Unary::sign, mix(m, o_.betas[0], g, 1 - o_.betas[0]));
  assign(m, mix(m, o_.betas[1], g, 1 - o_.betas[1]));
  descend(arena_.value(slot), delta, lr, decay);
  if (keep_updates) update_rms[i] = rms(delta);
}

void Optimizer::sgd(std::size_t i, double lr, double decay, double clip) {
  const auto& slot = arena_.slots()[i];
  const Tensor g = times(arena_.grad(slot), clip), m = view_of(m_, slot);
  assign(m, plus(times(m, o_.momentum), g));
  const Tensor delta = o_.nesterov ? plus(g, times(m, o_.momentum)) : m;
  descend(arena_.value(slot), delta, lr, decay);
  if (keep_updates) update_rms[i] = rms(delta);
}

void Optimizer::muon(std::size_t i, double lr, double decay, double clip) {
  const auto& slot = arena_.slots()[i];
  const Tensor delta = muon_update(times(arena_.grad(slot), clip), view_of(m_, slot), o_.momentum, o_.nesterov,
                                   o_.accumulate, o_.muon_scale);
  descend(arena_.value(slot), delta, lr, decay);
  if (keep_updates) update_rms[i] = rms(delta);
}

Tensor muon_update(const Tensor& grad, const Tensor& buffer, double mu, bool nesterov, Accumulate accumulate,
                   MuonScale scale) {
  const double fresh = accumulate == Accumulate::ema ? 1 - mu : 1;
  assign(buffer, mix(buffer, mu, grad, fresh));
  Tensor x = nesterov ? mix(grad, fresh, buffer, mu) : buffer.clone();
  const std::int64_t rows = x.size(0), columns = x.size(1);
  const bool tall = rows > columns;
  if (tall) x = x.transpose(0, 1).contiguous();
  x = times(x, 1 / (std::sqrt(backend_of(x).sum_of_squares(x.view())) + 1e-7));
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315;
  for (int step = 0; step < 5; ++step) {
    const Tensor gram = kernels::matmul(x, x.transpose(0, 1));
    const Tensor poly = mix(gram, b, kernels::matmul(gram, gram), c);
    x = plus(times(x, a), kernels::matmul(poly, x));
  }
  if (tall) x = x.transpose(0, 1).contiguous();
  const auto r = static_cast<double>(rows), k = static_cast<double>(columns);
  return times(x, scale == MuonScale::moonlight ? 0.2 * std::sqrt(std::max(r, k)) : std::sqrt(std::max(1.0, r / k)));
}

std::vector<NamedTensor> Optimizer::state() const {
  std::vector<NamedTensor> out;
  for (const auto& s : arena_.slots()) {
    out.push_back({"m/" + s.parameter->name, view_of(m_, s)});
    if (u_.defined()) out.push_back({"u/" + s.parameter->name, view_of(u_, s)});
  }
  return out;
}

}  // namespace plumb::optim
