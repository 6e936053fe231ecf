// Var: a tensor with a history. A value: copying one copies two handles.
#pragma once

#include <utility>

#include "core/tensor.h"

namespace plumb {

class Node;

// Counted pointer to a node of the tape. A tape belongs to one thread, so counts are plain integers.
class NodePtr {
 public:
  NodePtr() = default;
  explicit NodePtr(Node* n);
  NodePtr(const NodePtr& o);
  NodePtr(NodePtr&& o) noexcept : n_(std::exchange(o.n_, nullptr)) {}
  NodePtr& operator=(NodePtr o) noexcept {
    std::swap(n_, o.n_);
    return *this;
  }
  ~NodePtr();
  Node* get() const { return n_; }
  Node* operator->() const { return n_; }
  explicit operator bool() const { return n_; }

 private:
  Node* n_ = nullptr;
};

class Var {
 public:
  Var() = default;
  Var(Tensor value) : value_(std::move(value)) {}  // NOLINT: a constant, by design implicit
  Var(Tensor value, NodePtr node) : value_(std::move(value)), node_(std::move(node)) {}
  // A leaf that collects a gradient. `grad`, when given, is where it collects it (a slice of an arena, already zero); it
  // may be wider than the value (f32 for bf16 weights).
  static Var leaf(Tensor value, Tensor grad = {}, std::string name = {});

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_; }
  bool requires_grad() const { return static_cast<bool>(node_); }
  const NodePtr& node() const { return node_; }
  // Gradient that a leaf has collected; zeros before the first backward().
  Tensor grad() const;
  void zero_grad() const;

  const Shape& shape() const { return value_.shape(); }
  std::int64_t size(int axis) const { return value_.size(axis); }
  int dim() const { return value_.dim(); }
  std::int64_t numel() const { return value_.numel(); }
  DType dtype() const { return value_.dtype(); }
  Device device() const { return value_.device(); }
  double item() const { return value_.item(); }
  Var detach() const { return Var(value_); }

 private:
  Tensor value_;
  NodePtr node_;
};

// Whether operators write on the tape; NoGrad switches it off for a scope.
bool grad_enabled();
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

}  // namespace plumb
