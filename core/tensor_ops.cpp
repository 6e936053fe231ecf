// Checks, output allocation, and the call of the device's kernel.
#include "core/tensor_ops.h"

#include <cmath>

namespace plumb::kernels {

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    fail(op, "mixes {} {} with {} {}; convert one with to()", name_of(a.dtype()), to_string(a.shape()),
         name_of(b.dtype()), to_string(b.shape()));
}

void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
  if (a.device() != b.device())
    fail(op, "has one input on {} and one on {}", to_string(a.device()), to_string(b.device()));
}

void check_floating(const char* op, const Tensor& x) {
  if (!is_floating(x.dtype())) fail(op, "needs a floating dtype, not {} {}", name_of(x.dtype()), to_string(x.shape()));
}

namespace {

bool yields_mask(Unary op) { return op == Unary::is_finite || op == Unary::logical_not; }
bool yields_mask(Binary op) { return op >= Binary::equal && op <= Binary::logical_or; }
bool is_arithmetic(Unary op) {
  return op == Unary::neg || op == Unary::abs || op == Unary::sign || op == Unary::square || yields_mask(op);
}

}  // namespace

Tensor unary(const char* name, Unary op, const Tensor& x) {
  if (!is_arithmetic(op)) check_floating(name, x);
  const Tensor out = Tensor::empty(x.shape(), yields_mask(op) ? DType::u8 : x.dtype(), x.device(), name);
  backend_of(x).unary(op, x.view(), out.view());
  return out;
}

Tensor binary(const char* name, Binary op, const Tensor& a, const Tensor& b) {
  check_same_device(name, a, b);
  check_same_dtype(name, a, b);
  const Shape shape = a.shape() == b.shape() ? a.shape() : broadcast_shapes(name, a.shape(), b.shape());
  const Tensor out = Tensor::empty(shape, yields_mask(op) ? DType::u8 : a.dtype(), a.device(), name);
  backend_of(a).binary(op, a.expand(shape).view(), b.expand(shape).view(), out.view());
  return out;
}

Tensor scalar(const char* name, Binary op, const Tensor& x, double s, bool scalar_first) {
  const Tensor out = Tensor::empty(x.shape(), yields_mask(op) ? DType::u8 : x.dtype(), x.device(), name);
  backend_of(x).scalar(op, x.view(), s, scalar_first, out.view());
  return out;
}

Tensor select(const char* name, const Tensor& mask, const Tensor& a, const Tensor& b) {
  check_same_dtype(name, a, b);
  if (mask.dtype() != DType::u8) fail(name, "needs a u8 mask, not {}", name_of(mask.dtype()));
  const Shape shape = broadcast_shapes(name, broadcast_shapes(name, mask.shape(), a.shape()), b.shape());
  const Tensor out = Tensor::empty(shape, a.dtype(), a.device(), name);
  backend_of(a).select(mask.expand(shape).view(), a.expand(shape).view(), b.expand(shape).view(), out.view());
  return out;
}

Tensor reduce(const char* name, Reduce op, const Tensor& x, const Dims& axes, bool keep) {
  bool reduced[max_dims] = {};
  for (int i = 0; i < x.dim(); ++i) reduced[i] = axes.empty();
  for (const auto a : axes) reduced[axis_of(name, static_cast<int>(a), x.dim())] = true;
  Shape kept = x.shape(), dropped;
  for (int i = 0; i < x.dim(); ++i) {
    if (reduced[i] && op != Reduce::sum && x.shape()[i] == 0)
      fail(name, "axis {} of shape {} is empty: there is no extreme value", i, to_string(x.shape()));
    if (reduced[i]) kept[i] = 1;
    else dropped.push_back(x.shape()[i]);
  }
  const Tensor out = Tensor::empty(kept, x.dtype(), x.device(), name);
  backend_of(x).reduce(op, x.view(), out.view());
  return keep ? out : out.reshape(dropped);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int extra = x.dim() - shape.size();
  bool broadcasts = extra >= 0;
  for (int i = extra; broadcasts && i < x.dim(); ++i)
    broadcasts = shape[i - extra] == 1 || shape[i - extra] == x.shape()[i];
  if (!broadcasts) fail("sum_to", "shape {} is not a broadcast of {}", to_string(x.shape()), to_string(shape));
  Dims axes;
  for (int i = 0; i < x.dim(); ++i)
    if (i < extra || (shape[i - extra] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  const Tensor t = axes.empty() ? x : reduce("sum_to", Reduce::sum, x, axes, true);
  return t.reshape(shape);
}

Tensor arg_max(const Tensor& x, int axis) {
  axis = axis_of("arg_max", axis, x.dim());
  Shape shape = x.shape();
  if (shape[axis] == 0) fail("arg_max", "axis {} of shape {} is empty", axis, to_string(shape));
  shape[axis] = 1;
  const Tensor out = Tensor::empty(shape, DType::i64, x.device(), "arg_max");
  backend_of(x).arg_max(x.view(), axis, out.view());
  return out;
}

Tensor cumsum(const Tensor& x, int axis, bool reverse) {
  const Tensor out = Tensor::empty(x.shape(), x.dtype(), x.device(), "cumsum");
  backend_of(x).cumsum(x.view(), axis_of("cumsum", axis, x.dim()), reverse, out.view());
  return out;
}

Tensor argsort(const Tensor& x, bool descending) {
  if (x.dim() == 0) fail("argsort", "needs at least one dimension");
  const Tensor out = Tensor::empty(x.shape(), DType::i64, x.device(), "argsort");
  backend_of(x).argsort(x.contiguous().view(), descending, out.view());
  return out;
}

Tensor gather(const Tensor& x, const Tensor& index, int axis) {
  axis = axis_of("gather", axis, x.dim());
  bool fits = index.dim() == x.dim();
  for (int i = 0; fits && i < x.dim(); ++i) fits = i == axis || index.shape()[i] == x.shape()[i];
  if (!fits)
    fail("gather", "index {} does not fit {} along axis {}", to_string(index.shape()), to_string(x.shape()), axis);
  check_index("gather", index, 0, x.shape()[axis]);
  const Tensor out = Tensor::empty(index.shape(), x.dtype(), x.device(), "gather");
  backend_of(x).gather(x.view(), index.view(), axis, out.view());
  return out;
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) fail("concat", "needs at least one tensor");
  axis = axis_of("concat", axis, parts[0].dim());
  Shape shape = parts[0].shape();
  shape[axis] = 0;
  for (const auto& p : parts) {
    check_same_dtype("concat", parts[0], p);
    Shape other = p.shape();
    if (p.dim() == parts[0].dim()) other[axis] = parts[0].shape()[axis];
    if (other != parts[0].shape())
      fail("concat", "shapes {} and {} differ beside axis {}", to_string(parts[0].shape()), to_string(p.shape()), axis);
    shape[axis] += p.shape()[axis];
  }
  const Tensor out = Tensor::empty(shape, parts[0].dtype(), parts[0].device(), "concat");
  std::int64_t at = 0;
  for (const auto& p : parts) {
    backend_of(p).copy(p.view(), out.slice(axis, at, at + p.shape()[axis]).view());
    at += p.shape()[axis];
  }
  return out;
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_same_dtype("matmul", a, b);
  check_same_device("matmul", a, b);
  check_floating("matmul", a);
  if (a.dim() < 2 || b.dim() < 2 || a.size(-1) != b.size(-2))
    fail("matmul", "shapes {} and {} do not multiply", to_string(a.shape()), to_string(b.shape()));
  const auto batch_of = [](const Tensor& t) {
    Shape s = t.shape();
    s.erase(s.size() - 1);
    s.erase(s.size() - 1);
    return s;
  };
  const Shape batch = broadcast_shapes("matmul", batch_of(a), batch_of(b));
  const auto with = [&](std::int64_t rows, std::int64_t columns) {
    Shape s = batch;
    s.push_back(rows);
    s.push_back(columns);
    return s;
  };
  const Tensor out = Tensor::empty(with(a.size(-2), b.size(-1)), a.dtype(), a.device(), "matmul");
  backend_of(a).matmul({.a = a.expand(with(a.size(-2), a.size(-1))).view(),
                        .b = b.expand(with(b.size(-2), b.size(-1))).view(),
                        .c = out.view()});
  return out;
}

Tensor softmax(const Tensor& x, bool log) {
  check_floating("softmax", x);
  if (x.dim() == 0) fail("softmax", "needs at least one dimension");
  const Tensor out = Tensor::empty(x.shape(), x.dtype(), x.device(), "softmax");
  backend_of(x).softmax(x.contiguous().view(), log, out.view());
  return out;
}

bool all_finite(const Tensor& x) {
  if (!is_floating(x.dtype()) || x.numel() == 0) return true;
  const Tensor finite = unary("is_finite", Unary::is_finite, x);
  return reduce("all_finite", Reduce::min, finite, {}, false).item() != 0;
}

std::int64_t first_non_finite(const Tensor& x) {
  if (all_finite(x)) return -1;
  const auto values = x.to_vector<double>();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) return static_cast<std::int64_t>(i);
  return -1;
}

void check_index(const char* op, const Tensor& index, std::int64_t low, std::int64_t high) {
  if (index.dtype() != DType::i64) fail(op, "needs i64 indices, not {}", name_of(index.dtype()));
  if (backend_of(index).index_in_range(index.view(), low, high)) return;
  const auto values = index.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < low || values[i] >= high)
      fail(op, "index {} at position {} is outside [{}, {})", values[i], i, low, high);
}

}  // namespace plumb::kernels
