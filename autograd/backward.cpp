// The backward pass: nodes in reverse order of creation, so that every consumer has been heard before a node speaks.
#include "autograd/backward.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "autograd/blame.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {
namespace {

struct Pass {
  std::uint64_t id = 0;     // of this walk over the graph
  std::uint64_t sites = 0;  // of the outermost pass: numbers the use sites of leaves
  bool collects = false;    // first-order, into leaves
  bool create_graph = false;
  bool retain = true;
  bool stops_at_wanted = false;
  bool blames = false;
  std::unordered_map<Node*, Var> wanted;
};

thread_local Pass* running = nullptr;
std::uint64_t fresh_id() {
  thread_local std::uint64_t n = 0;
  return ++n;
}

// Adds a gradient to a leaf's accumulator: a left fold over the leading axis, example by example.
void fold_into(const Tensor& acc, Tensor g) {
  const int extra = g.dim() - acc.dim();
  Dims inner;
  for (int i = 0; i < acc.dim(); ++i)
    if (acc.shape()[i] == 1 && g.shape()[i + extra] != 1) inner.push_back(i + extra);
  if (!inner.empty()) g = kernels::reduce("gradient", kernels::Reduce::sum, g, inner, true);
  if (extra == 0) {
    backend_of(acc).binary(kernels::Binary::add, acc.view(), g.to(acc.dtype()).view(), acc.view());
    return;
  }
  const std::int64_t n = acc.numel(), examples = g.shape()[0];
  const std::int64_t rows = examples && n ? g.numel() / (examples * n) : 0;
  if (g.numel() == 0) return;
  const Tensor x = g.to(acc.dtype()).contiguous().reshape({1, examples, rows, n});
  backend_of(acc).fold_rows(x.view(), acc.reshape({1, n}).view());
}

std::vector<Node*> reachable(const std::vector<Node*>& roots, const Pass& pass) {
  std::vector<Node*> found, stack;
  const auto visit = [&](Node* n) {
    if (n->seen == pass.id) return;
    n->seen = pass.id;
    found.push_back(n);
    if (!pass.stops_at_wanted || !pass.wanted.contains(n)) stack.push_back(n);
  };
  for (Node* n : roots) visit(n);
  while (!stack.empty()) {
    Node* n = stack.back();
    stack.pop_back();
    for (int i = 0; i < n->inputs(); ++i)
      if (Node* to = n->edges()[i].to.get()) visit(to);
  }
  std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->order > b->order; });
  return found;
}

void add_to_slot(Node& node, const Var& g, const Pass& pass) {
  if (!node.grad.defined()) {
    node.grad = g;
    return;
  }
  const Tensor& held = node.grad.value();
  if (!pass.create_graph && held.storage().unique() && held.is_contiguous()) Tensor(held).add_(g.value());
  else node.grad = node.grad + g;
}

void contribute(const Edge& edge, const Var& g, const Pass& pass) {
  Node& to = *edge.to.get();
  if (to.is_leaf() && !pass.wanted.contains(&to)) {
    if (pass.collects) fold_into(static_cast<Leaf&>(to).next_site(pass.sites), g.value());
    return;
  }
  Var part = sum_to(g, edge.shape);
  if (part.dtype() != edge.dtype) part = plumb::to(part, edge.dtype);
  add_to_slot(to, part, pass);
}

void blame_gradient(const Node& node, const Var& g) {
  if (!g.defined()) return;
  const std::int64_t i = kernels::first_non_finite(g.value());
  if (i >= 0)
    throw NonFinite(node.op(), node.scope, true, i, g.value().to_vector<double>()[static_cast<std::size_t>(i)],
                    g.shape());
}

// While blame is on a rule returns every gradient and collects none itself, so that the operator that made a bad value is
// named, not the one who hears it.
Grads rule_of(Node& node, const Var& g, const Pass& pass) {
  if (!pass.blames) return node.apply(Saved(node, pass.collects), g);
  const Blame off(false);  // on its way a rule may pass through infinity; what it returns is judged
  std::optional<Scope> where;
  if (!node.scope.empty()) where.emplace(node.scope.c_str());
  const Grads parts = node.apply(Saved(node, false), g);
  for (const auto& part : parts) blame_gradient(node, part);
  return parts;
}

void speak(Node& node, Pass& pass) {
  if (!node.grad.defined()) return;
  const Var g = std::exchange(node.grad, Var());
  if (pass.blames) blame_gradient(node, g);
  const auto it = pass.wanted.find(&node);
  if (it != pass.wanted.end()) {
    it->second = g;
    if (pass.stops_at_wanted) return;
  }
  if (node.is_leaf()) return;
  if (node.released)
    fail(node.op(), "its saved values were freed by an earlier backward(); pass retain = true to the first one");
  const Grads parts = rule_of(node, g, pass);
  PLUMB_ASSERT(static_cast<int>(parts.size()) == node.inputs());
  for (int i = 0; i < node.inputs(); ++i)
    if (node.edges()[i].to && parts[static_cast<std::size_t>(i)].defined())
      contribute(node.edges()[i], parts[static_cast<std::size_t>(i)], pass);
  if (pass.retain) return;
  for (int i = 0; i < node.inputs(); ++i) node.edges()[i].saved = {};
  node.output = {};
  node.released = true;
}

struct Running {  // makes a pass the running one, and leaves no scratch behind when an error is thrown
  Running(Pass& pass, std::vector<Node*> nodes)
      : nodes(std::move(nodes)), before(std::exchange(running, &pass)), mode(pass.create_graph) {}
  ~Running() {
    running = before;
    for (Node* n : nodes) n->grad = Var();
  }
  std::vector<Node*> nodes;
  Pass* before;
  GradMode mode;
};

void run(Pass& pass, const std::vector<std::pair<NodePtr, Var>>& seeds) {
  pass.id = fresh_id();
  if (!pass.sites) pass.sites = pass.id;
  pass.blames = detail::blame_on();
  std::vector<Node*> roots;
  for (const auto& [node, seed] : seeds) roots.push_back(node.get());
  Running now(pass, reachable(roots, pass));
  // A root that is itself a leaf is heard like any other consumer's input.
  for (const auto& [node, seed] : seeds) {
    if (node->is_leaf() && pass.collects && !pass.wanted.contains(node.get()))
      fold_into(static_cast<Leaf&>(*node.get()).next_site(pass.sites), seed.value());
    else add_to_slot(*node.get(), seed, pass);
  }
  for (Node* n : now.nodes) speak(*n, pass);
}

Tensor ones_like(const Var& v) { return Tensor::full(v.shape(), 1, v.dtype(), v.device()); }

}  // namespace

Tensor Saved::accumulator(int i) const {
  const Edge& e = node_.edges()[i];
  if (!collects_ || !e.to || !e.to->is_leaf() || running->wanted.contains(e.to.get())) return {};
  return static_cast<Leaf*>(e.to.get())->next_site(running->sites);
}

void backward(const std::vector<Root>& roots, bool retain) {
  Pass pass;
  pass.collects = true;
  pass.retain = retain;
  std::vector<std::pair<NodePtr, Var>> seeds;
  for (const auto& r : roots) {
    if (!r.value.requires_grad()) continue;
    if (!r.seed.defined() && r.value.numel() != 1)
      fail("backward", "a value of shape {} needs a seed: only a single number can be differentiated without one",
           to_string(r.value.shape()));
    if (r.seed.defined() && r.seed.shape() != r.value.shape())
      fail("backward", "seed {} does not fit value {}", to_string(r.seed.shape()), to_string(r.value.shape()));
    if (r.seed.defined() && r.seed.dtype() != r.value.dtype())
      fail("backward", "seed {} does not fit value {}", name_of(r.seed.dtype()), name_of(r.value.dtype()));
    seeds.emplace_back(r.value.node(), Var(r.seed.defined() ? r.seed : ones_like(r.value)));
  }
  if (seeds.empty()) fail("backward", "the loss depends on nothing that collects a gradient");
  run(pass, seeds);
}

void backward(const Var& loss, bool retain) { backward(std::vector<Root>{{loss, {}}}, retain); }

std::vector<Var> grad(const std::vector<Var>& values, const std::vector<Var>& inputs, bool create_graph,
                      const std::vector<Var>& seeds) {
  Pass pass;
  pass.create_graph = create_graph;
  for (const auto& x : inputs) {
    if (x.requires_grad()) pass.wanted.emplace(x.node().get(), Var());
  }
  std::vector<std::pair<NodePtr, Var>> starts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool seeded = i < seeds.size() && seeds[i].defined();
    if (!seeded && values[i].numel() != 1)
      fail("grad", "a value of shape {} needs a seed", to_string(values[i].shape()));
    if (values[i].requires_grad()) starts.emplace_back(values[i].node(), seeded ? seeds[i] : Var(ones_like(values[i])));
  }
  run(pass, starts);
  std::vector<Var> out;
  for (const auto& x : inputs) {
    if (!x.defined()) {
      out.emplace_back();
      continue;
    }
    Var g = x.requires_grad() ? pass.wanted[x.node().get()] : Var();
    out.push_back(g.defined() ? g : Var(Tensor::zeros(x.shape(), x.dtype(), x.device())));
  }
  return out;
}

namespace detail {

Var pass_through(const Var& x) {
  return record("identity", {x}, x.value(), Saves::nothing, [](const Saved&, const Var& g) -> Grads { return {g}; });
}

bool pass_blames() { return running && running->blames; }

std::vector<Var> nested_backward(const Var& value, const std::vector<Var>& inputs, const Var& g) {
  PLUMB_ASSERT(running);
  Pass pass;
  pass.sites = running->sites;
  pass.collects = running->collects;
  pass.retain = false;
  pass.stops_at_wanted = true;
  for (const auto& x : inputs)
    if (x.requires_grad()) pass.wanted.emplace(x.node().get(), Var());
  run(pass, {{value.node(), g}});
  std::vector<Var> out;
  for (const auto& x : inputs) out.push_back(x.requires_grad() ? pass.wanted[x.node().get()] : Var());
  return out;
}

}  // namespace detail
}  // namespace plumb
