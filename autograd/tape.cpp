// Nodes, leaves and what they save.
#include <new>
#include <unordered_map>

#include "autograd/blame.h"
#include "autograd/node.h"

namespace plumb {
namespace {

thread_local bool grad_on = true;
std::uint64_t next_order() {
  thread_local std::uint64_t n = 0;
  return ++n;
}

// Freed blocks by size, in steps of 64 bytes. A free block holds the address of the next, so that freeing takes no memory.
class Pool {
 public:
  void* take(std::size_t bytes) {
    Free*& first = lists_[bytes / 64];
    return first ? std::exchange(first, first->next) : ::operator new(bytes);
  }
  void give(void* p, std::size_t bytes) noexcept {
    Free*& first = lists_[bytes / 64];
    first = new (p) Free{first};
  }
  ~Pool() {
    for (Free* first : lists_)
      while (first) ::operator delete(std::exchange(first, first->next));
  }

 private:
  struct Free {
    Free* next;
  };
  static constexpr std::size_t classes = 64;
  std::array<Free*, classes> lists_{};
};
constexpr std::size_t largest_pooled = 64 * 63;
std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

thread_local bool pool_alive = false;
struct PoolOwner {
  Pool pool;
  PoolOwner() { pool_alive = true; }
  ~PoolOwner() { pool_alive = false; }
};
Pool& pool() {
  thread_local PoolOwner owner;
  return owner.pool;
}

}  // namespace

bool grad_enabled() { return grad_on; }
GradMode::GradMode(bool enabled) : before_(std::exchange(grad_on, enabled)) {}
GradMode::~GradMode() { grad_on = before_; }

void* Node::operator new(std::size_t bytes) {
  bytes = rounded(bytes);
  return bytes <= largest_pooled ? pool().take(bytes) : ::operator new(bytes);
}

void Node::operator delete(void* p, std::size_t bytes) noexcept {
  bytes = rounded(bytes);
  if (bytes <= largest_pooled && pool_alive) pool().give(p, bytes);
  else ::operator delete(p);
}

Node::Node(const char* op, int inputs) : order(next_order()), inputs_(inputs), op_(op) {
  if (inputs > static_cast<int>(few_.size())) many_.resize(static_cast<std::size_t>(inputs));
}

NodePtr::NodePtr(Node* n) : n_(n) {
  if (n_) ++n_->references_;
}
NodePtr::NodePtr(const NodePtr& o) : NodePtr(o.n_) {}

// Long chains are freed by a loop, not by recursion; the dead are linked through themselves, which takes no memory.
NodePtr::~NodePtr() {
  if (!n_ || --n_->references_ != 0) return;
  thread_local Node* dead = nullptr;
  thread_local bool draining = false;
  n_->next_dead_ = std::exchange(dead, n_);
  if (draining) return;
  draining = true;
  while (dead) delete std::exchange(dead, dead->next_dead_);
  draining = false;
}

namespace detail {

bool any_requires_grad(const Var* inputs, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    if (inputs[i].requires_grad()) return true;
  return false;
}

void attach(Node& node, const Var* inputs, std::size_t n, const Tensor& output, Saves saves) {
  Edge* edges = node.edges();
  const bool keeps = static_cast<int>(saves) & static_cast<int>(Saves::inputs);
  for (std::size_t i = 0; i < n; ++i) {
    if (!inputs[i].defined()) continue;
    Edge& e = edges[i];
    e.to = inputs[i].node();
    e.shape = inputs[i].shape();
    e.dtype = inputs[i].dtype();
    if (keeps) {
      e.saved = inputs[i].value();
      e.version = e.saved.storage()->version();
    }
  }
  if (static_cast<int>(saves) & static_cast<int>(Saves::output)) {
    node.output = output;
    node.output_version = output.storage()->version();
  }
  if (blame_on()) node.scope = current_scope();
}

}  // namespace detail

Var Saved::operator[](int i) const {
  const Edge& e = node_.edges()[i];
  if (!e.saved.defined()) return {};
  if (e.saved.storage()->version() != e.version)
    fail(node_.op(), "input {} {} was changed in place after the operator used it; its gradient would be wrong", i,
         to_string(e.shape));
  return Var(e.saved, e.to);
}

Var Saved::output() const {
  if (node_.output.storage()->version() != node_.output_version)
    fail(node_.op(), "its output {} was changed in place; its gradient would be wrong",
         to_string(node_.output.shape()));
  return Var(node_.output, NodePtr(&node_));
}

bool Saved::needs(int i) const { return static_cast<bool>(node_.edges()[i].to); }

Leaf::Leaf(const Tensor& value, Tensor grad, std::string name)
    : Node("leaf", 0), shape_(value.shape()), dtype_(value.dtype()), device_(value.device()), name_(std::move(name)) {
  if (!is_floating(dtype_))
    fail("leaf", "{} {} cannot have a gradient: its dtype is not floating", name_, name_of(dtype_));
  if (grad.defined()) {
    PLUMB_ASSERT(grad.shape() == shape_ && grad.is_contiguous());
    dtype_ = grad.dtype();
    sites_.push_back(std::move(grad));
  } else {
    dtype_ = gradient_dtype(dtype_);
  }
}

Tensor Leaf::make() const { return Tensor::zeros(shape_, dtype_, device_); }

Tensor Leaf::next_site(std::uint64_t pass) {
  if (pass_ != pass) {
    pass_ = pass;
    visits_ = 0;
  }
  if (visits_ == sites_.size()) sites_.push_back(make());
  return sites_[visits_++];
}

Tensor Leaf::grad_now() {
  if (sites_.empty()) sites_.push_back(make());
  for (std::size_t i = 1; i < sites_.size(); ++i) {
    sites_[0].add_(sites_[i]);
    sites_[i].fill_(0);
  }
  return sites_[0];
}

void Leaf::zero() {
  for (auto& s : sites_) s.fill_(0);
}

Var Var::leaf(Tensor value, Tensor grad, std::string name) {
  NodePtr node(new Leaf(value, std::move(grad), std::move(name)));
  return Var(std::move(value), std::move(node));
}

Tensor Var::grad() const {
  if (!node_ || !node_->is_leaf()) fail("grad", "only a leaf collects a gradient; use plumb::grad() for other values");
  return static_cast<Leaf*>(node_.get())->grad_now();
}

void Var::zero_grad() const {
  if (node_ && node_->is_leaf()) static_cast<Leaf*>(node_.get())->zero();
}

}  // namespace plumb
