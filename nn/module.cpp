// Walking modules, and the arena that holds their parameters.
#include "nn/module.h"

#include <cmath>

#include "autograd/ops.h"

namespace plumb::nn {

const char* name_of(Role role) {
  const char* names[] = {"input", "hidden", "output", "vector"};
  return names[static_cast<int>(role)];
}

namespace {

std::string joined(const std::string& prefix, std::string_view name) {
  return prefix.empty() ? std::string(name) : prefix + "." + std::string(name);
}

struct Collector final : Members {
  std::vector<Parameter*> parameters;
  std::vector<State*> states;
  void parameter(const std::string& path, Parameter& p) override {
    p.name = path;
    parameters.push_back(&p);
  }
  void state(const std::string& path, State& s) override {
    s.name = path;
    states.push_back(&s);
  }
};

}  // namespace

void Members::operator()(std::string_view name, Parameter& p) { parameter(joined(prefix_, name), p); }
void Members::operator()(std::string_view name, State& s) { state(joined(prefix_, name), s); }
void Members::operator()(std::string_view name, Module& m) {
  const std::string before = prefix_;
  prefix_ = joined(prefix_, name);
  m.members(*this);
  prefix_ = before;
}

std::vector<Parameter*> Module::parameters() {
  Collector c;
  members(c);
  return c.parameters;
}

std::vector<State*> Module::states() {
  Collector c;
  members(c);
  return c.states;
}

std::int64_t Module::parameter_count() {
  std::int64_t n = 0;
  for (const Parameter* p : parameters()) n += numel(p->shape);
  return n;
}

namespace {

// Slots start at multiples of 16 elements, so that vector loops stay aligned and a slot's bits do not depend on others.
constexpr std::int64_t slot_alignment = 16;

Tensor drawn(const Parameter& p, const Key& key, DType dtype, Device device) {
  switch (p.init.draw) {
    case Draw::zeros: return Tensor::zeros(p.shape, dtype, device);
    case Draw::ones: return Tensor::full(p.shape, 1, dtype, device);
    case Draw::constant: return Tensor::full(p.shape, p.init.scale, dtype, device);
    case Draw::normal: return key.normal(p.shape, 0, p.init.scale, dtype, device);
    case Draw::truncated_normal: return key.truncated_normal(p.shape, p.init.scale, dtype, device);
    case Draw::uniform: return key.uniform(p.shape, -p.init.scale, p.init.scale, dtype, device);
  }
  throw Bug("unknown initialisation");
}

}  // namespace

Arena::Arena(Module& module, const Key& key, DType dtype, Device device) {
  if (dtype != DType::f32 && dtype != DType::f64)
    throw UserError(fmt::format("parameters are kept in f32 or f64, not {}", name_of(dtype)), "arena",
                    "train.precision = \"bf16\" keeps f32 master weights");
  std::int64_t total = 0;
  for (Parameter* p : module.parameters()) {
    const std::int64_t count = numel(p->shape);
    slots_.push_back({p, total, count});
    total += (count + slot_alignment - 1) / slot_alignment * slot_alignment;
  }
  values_ = Tensor::zeros({total}, dtype, device);
  grads_ = Tensor::zeros({total}, dtype, device);
  for (const Slot& s : slots_) {
    value(s).copy_(drawn(*s.parameter, key.at(s.parameter->name), dtype, device));
    s.parameter->var = Var::leaf(value(s), grad(s), s.parameter->name);
  }
}

Tensor Arena::value(const Slot& s) const {
  return values_.view_as(s.parameter->shape, row_major(s.parameter->shape), s.offset);
}

Tensor Arena::grad(const Slot& s) const {
  return grads_.view_as(s.parameter->shape, row_major(s.parameter->shape), s.offset);
}

void Arena::use_bf16_products() {
  if (dtype() != DType::f32) throw UserError("bf16 products need f32 parameters", "arena");
  half_ = Tensor::empty(values_.shape(), DType::bf16, device(), "bf16 weights");
  for (const Slot& s : slots_)
    if (s.parameter->role == Role::hidden)
      s.parameter->var = Var::leaf(half_.view_as(s.parameter->shape, row_major(s.parameter->shape), s.offset), grad(s),
                                   s.parameter->name);
  refresh();
}

void Arena::refresh() {
  if (half_.defined()) half_.copy_(values_);
}

void Arena::zero_grads() {
  for (const Slot& s : slots_) s.parameter->var.zero_grad();
}

void Arena::finish_grads() {
  for (const Slot& s : slots_) (void)s.parameter->var.grad();
}

}  // namespace plumb::nn
