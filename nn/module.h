// Module: a part of a model that names its parameters, its state and its children, once, in members().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nn/parameter.h"

namespace plumb::nn {

class Module;

// Walks a module: members() calls it with each name.
class Members {
 public:
  virtual ~Members() = default;
  void operator()(std::string_view name, Parameter& p);
  void operator()(std::string_view name, State& s);
  void operator()(std::string_view name, Module& m);
  template <class M>
  void operator()(std::string_view name, std::vector<std::unique_ptr<M>>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) (*this)(std::string(name) + "." + std::to_string(i), *list[i]);
  }

 protected:
  virtual void parameter(const std::string& path, Parameter& p) = 0;
  virtual void state(const std::string& path, State& s) = 0;

 private:
  std::string prefix_;
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual void members(Members& m) = 0;

  std::vector<Parameter*> parameters();  // in the order of members(): the order of the arena
  std::vector<State*> states();
  std::int64_t parameter_count();
};

// The parameters of one model in one piece of memory for each purpose: one optimiser pass, one norm, one digest.
// values and grads are f32 or f64; `compute` are the values that layers read, a bf16 copy of values in bf16 training.
class Arena {
 public:
  struct Slot {
    Parameter* parameter = nullptr;
    std::int64_t offset = 0, count = 0;
  };
  // Lays out every parameter of `module`, draws initial values (stream key.at(name)), and sets Parameter::var.
  Arena(Module& module, const Key& key, DType dtype = DType::f32, Device device = cpu_device);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  const std::vector<Slot>& slots() const { return slots_; }
  Tensor values() const { return values_; }
  Tensor grads() const { return grads_; }
  Tensor value(const Slot& s) const;  // views with the parameter's shape
  Tensor grad(const Slot& s) const;
  DType dtype() const { return values_.dtype(); }
  Device device() const { return values_.device(); }

  // Products in bf16: matrices are read as bf16 copies, refreshed by refresh() after each optimiser step.
  void use_bf16_products();
  void refresh();

  void zero_grads();
  void finish_grads();  // adds the use sites of each parameter, once, before the optimiser reads grads()

 private:
  std::vector<Slot> slots_;
  Tensor values_, grads_, half_;
};

}  // namespace plumb::nn
