// Gather, scatter and embedding: each is the other's derivative.
#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {

Var gather(const Var& x, const Tensor& index, int axis) {
  axis = axis_of("gather", axis, x.dim());
  return record("gather", {x}, kernels::gather(x.value(), index, axis), Saves::nothing,
                [index, axis, n = x.shape()[axis]](const Saved&, const Var& g) -> Grads {
                  return {scatter_add(index, g, axis, n)};
                });
}

Var scatter_add(const Tensor& index, const Var& x, int axis, std::int64_t n) {
  axis = axis_of("scatter_add", axis, x.dim());
  if (index.shape() != x.shape())
    fail("scatter_add", "index {} and values {} differ in shape", to_string(index.shape()), to_string(x.shape()));
  kernels::check_index("scatter_add", index, 0, n);
  Shape shape = x.shape();
  shape[axis] = n;
  const Tensor out = Tensor::zeros(shape, x.dtype(), x.device());
  backend_of(out).scatter_add(index.view(), x.value().view(), axis, out.view());
  return record("scatter_add", {x}, out, Saves::nothing,
                [index, axis](const Saved&, const Var& g) -> Grads { return {gather(g, index, axis)}; });
}

namespace {

// The gradient of embedding with respect to its table, as an operator of its own.
Var rows_added(const Var& g, const Tensor& index, const Shape& table) {
  const Tensor out = Tensor::zeros(table, g.dtype(), g.device());
  const std::int64_t runs = table.size() == 3 ? table[0] : 1, v = table[table.size() - 2], d = table.back();
  const std::int64_t n = runs ? index.numel() / runs : 0;
  backend_of(out).add_to_rows(index.reshape({runs, n}).contiguous().view(),
                              g.value().contiguous().reshape({runs, n, d}).view(), out.reshape({runs, v, d}).view());
  return record("embedding", {g}, out, Saves::nothing,
                [index](const Saved&, const Var& h) -> Grads { return {embedding(h, index)}; });
}

}  // namespace

Var embedding(const Var& table, const Tensor& index) {
  const Shape t = table.shape();
  if (t.size() != 2 && t.size() != 3) fail("embedding", "the table must be [V,D] or [R,V,D], not {}", to_string(t));
  const std::int64_t runs = t.size() == 3 ? t[0] : 1, v = t[t.size() - 2], d = t.back();
  if (t.size() == 3 && (index.dim() == 0 || index.shape()[0] != runs))
    fail("embedding", "table {} has {} runs but the index is {}", to_string(t), runs, to_string(index.shape()));
  kernels::check_index("embedding", index, 0, v);
  const std::int64_t n = runs ? index.numel() / runs : 0;
  const Tensor flat_index = index.contiguous().reshape({runs, n});
  const Tensor out = Tensor::empty({runs, n, d}, table.dtype(), table.device(), "embedding");
  backend_of(out).take_rows(table.value().contiguous().reshape({runs, v, d}).view(), flat_index.view(), out.view());
  Shape shape = index.shape();
  shape.push_back(d);
  return record("embedding", {table}, out.reshape(shape), Saves::nothing,
                [index, t, flat_index, runs, n, v, d](const Saved& in, const Var& g) -> Grads {
                  if (const Tensor acc = in.accumulator(0); acc.defined()) {
                    backend_of(acc).add_to_rows(flat_index.view(),
                                                g.value().to(acc.dtype()).contiguous().reshape({runs, n, d}).view(),
                                                acc.reshape({runs, v, d}).view());
                    return {Var()};
                  }
                  return {rows_added(g, index, t)};
                });
}

}  // namespace plumb
