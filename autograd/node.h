// The tape: nodes, what they save, and record(), by which an operator writes itself down.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace plumb {

using Grads = std::vector<Var>;  // one for each input; undefined = no gradient. May still be broadcast: the tape sums.

// What a rule needs of the forward pass; the rest is freed early.
enum class Saves : std::uint8_t { nothing = 0, inputs = 1, output = 2, inputs_and_output = 3 };

class Node;

// What a rule sees. in[i] is an input and in.output() the output, both differentiable; reading one that was changed in
// place since is an error that names the operator.
class Saved {
 public:
  explicit Saved(Node& node, bool collects) : node_(node), collects_(collects) {}
  Var operator[](int i) const;
  Var output() const;
  bool needs(int i) const;  // whether anyone asks for the gradient of input i
  // Where the gradient of input i is collected when it is a leaf and this is a first-order pass: the rule may add into it,
  // example by example, and return an undefined Var. Undefined otherwise.
  Tensor accumulator(int i) const;

 private:
  Node& node_;
  bool collects_;
};

struct Edge {
  NodePtr to;    // null: no gradient wanted
  Tensor saved;  // the input's value, if the rule reads it
  Shape shape;
  std::uint32_t version = 0;
  DType dtype = DType::f32;
};

class Node {
 public:
  Node(const char* op, int inputs);
  virtual ~Node() = default;
  virtual Grads apply(const Saved& in, const Var& g) = 0;
  virtual bool is_leaf() const { return false; }

  Edge* edges() { return many_.empty() ? few_.data() : many_.data(); }
  int inputs() const { return inputs_; }
  const char* op() const { return op_; }

  // Nodes come from a pool: the same sizes are asked for again and again.
  static void* operator new(std::size_t bytes);
  static void operator delete(void* p, std::size_t bytes) noexcept;

  Tensor output;  // saved when the rule reads it
  std::uint32_t output_version = 0;
  Var grad;                // scratch of a backward pass
  std::uint64_t order;     // creation order: consumers come later
  std::uint64_t seen = 0;  // scratch: the pass that visited it
  bool released = false;   // its saved values are gone
  std::string scope;       // where it was made; kept only while blame is on

 private:
  friend class NodePtr;
  Node* next_dead_ = nullptr;
  std::uint32_t references_ = 0;
  int inputs_;
  const char* op_;
  std::array<Edge, 3> few_;
  std::vector<Edge> many_;
};

// Sums over rows of bf16 are collected in f32.
inline DType gradient_dtype(DType t) { return t == DType::bf16 ? DType::f32 : t; }

// A leaf: collects gradients. Each use site within one backward pass has an accumulator of its own, which lives through
// the whole optimiser batch, so that 8 examples = 4 + 4 = 8 x 1; sites are added in order when the gradient is read.
class Leaf final : public Node {
 public:
  Leaf(const Tensor& value, Tensor grad, std::string name);
  Grads apply(const Saved&, const Var&) override { return {}; }
  bool is_leaf() const override { return true; }
  Tensor next_site(std::uint64_t pass);  // the accumulator of the next use in this pass
  Tensor grad_now();                     // folds the sites into the first
  void zero();
  const std::string& name() const { return name_; }

 private:
  Tensor make() const;
  std::vector<Tensor> sites_;
  std::uint64_t pass_ = 0;
  std::size_t visits_ = 0;
  Shape shape_;
  DType dtype_;
  Device device_;
  std::string name_;
};

namespace detail {

template <class Rule>
class RuleNode final : public Node {
 public:
  RuleNode(const char* op, int inputs, Rule rule) : Node(op, inputs), rule_(std::move(rule)) {}
  Grads apply(const Saved& in, const Var& g) override { return rule_(in, g); }

 private:
  Rule rule_;
};

bool any_requires_grad(const Var* inputs, std::size_t n);
void attach(Node& node, const Var* inputs, std::size_t n, const Tensor& output, Saves saves);
// Blame or a Fault wants to see outputs: the one branch that they cost when neither lives.
extern constinit thread_local bool watched;
void watch(const char* op, Tensor& output);
bool blame_on();

}  // namespace detail

// Writes an operator on the tape: its inputs, its value, what its rule reads, and the rule (const Saved&, const Var& g) -> Grads.
template <class Rule>
Var record(const char* op, const Var* inputs, std::size_t n, Tensor value, Saves saves, Rule rule) {
  if (detail::watched) [[unlikely]]
    detail::watch(op, value);
  if (!grad_enabled() || !detail::any_requires_grad(inputs, n)) return Var(std::move(value));
  NodePtr node(new detail::RuleNode<Rule>(op, static_cast<int>(n), std::move(rule)));
  detail::attach(*node.get(), inputs, n, value, saves);
  return Var(std::move(value), std::move(node));
}
template <class Rule>
Var record(const char* op, std::initializer_list<Var> inputs, Tensor value, Saves saves, Rule rule) {
  return record(op, inputs.begin(), inputs.size(), std::move(value), saves, std::move(rule));
}

}  // namespace plumb
