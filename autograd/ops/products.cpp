// Matrix products and the linear layer, under the matmul contract.
#include "autograd/backward.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {

Var matmul(const Var& a, const Var& b) {
  return record("matmul", {a, b}, kernels::matmul(a.value(), b.value()), Saves::inputs,
                [](const Saved& in, const Var& g) -> Grads {
                  return {in.needs(0) ? matmul(g, transpose(in[1], -1, -2)) : Var(),
                          in.needs(1) ? matmul(transpose(in[0], -1, -2), g) : Var()};
                });
}

namespace {

struct Shapes {
  Shape x, w, bias;  // bias empty: none
};

// How x [.., K] and w [.., N, K] lie: runs, and examples of rows.
struct Layout {
  kernels::Rows rows;
  std::int64_t k = 0, n = 0, total = 0;  // total = examples * rows

  static Layout of(const Shape& x, const Shape& w, const Shape& bias, bool has_bias) {
    Layout l;
    const bool packed = w.size() == 3;
    if (w.size() < 2 || w.size() > 3 || x.size() < (packed ? 2 : 1) || x.back() != w.back() || (packed && x[0] != w[0]))
      fail("linear", "input {} does not fit weight {}", to_string(x), to_string(w));
    if (has_bias && (bias.size() != w.size() - 1 || bias.back() != w[w.size() - 2] || (packed && bias[0] != w[0])))
      fail("linear", "bias {} does not fit weight {}", to_string(bias), to_string(w));
    l.k = w.back();
    l.n = w[w.size() - 2];
    l.rows.runs = packed ? w[0] : 1;
    const int lead = x.size() - 1 - (packed ? 1 : 0);  // axes of examples and rows
    l.rows.rows = lead >= 2 ? x[x.size() - 2] : 1;
    l.total = 1;
    for (int i = packed ? 1 : 0; i < x.size() - 1; ++i) l.total *= x[i];
    l.rows.examples = l.rows.rows ? l.total / l.rows.rows : 0;
    return l;
  }
};

// y = x w^T; x [R, total, K], w [R, N, K].
Tensor product(const Tensor& x, const Tensor& w, DType out_dtype, const Layout& l) {
  const Tensor y = Tensor::empty({l.rows.runs, l.total, l.n}, out_dtype, x.device(), "linear");
  backend_of(x).matmul({.a = x.view(), .b = w.transpose(1, 2).view(), .c = y.view()});
  return y;
}

// acc [R, N, K] += g^T x, a left fold over examples.
kernels::Matmul weight_gradient(const Tensor& g, const Tensor& x, const Tensor& acc, const Layout& l) {
  return {.a = g.transpose(1, 2).view(), .b = x.view(), .c = acc.view(), .accumulate = true, .k_example = l.rows.rows};
}

void collect_bias(const Tensor& g, const Tensor& acc, const Layout& l) {
  backend_of(g).fold_rows(g.reshape({l.rows.runs, l.rows.examples, l.rows.rows, l.n}).view(),
                          acc.reshape({l.rows.runs, l.n}).view());
}

// x [R, total, K] and w [R, N, K] as the forward pass multiplied them (bf16 in bf16 training; g is f32 then).
Grads linear_grads(const Saved& in, const Tensor& x, const Tensor& w, const Var& g, const Layout& l,
                   const Shapes& shapes) {
  const Tensor g3 = g.value().contiguous().reshape({l.rows.runs, l.total, l.n});
  const Tensor gp = g3.to(w.dtype());
  Grads out(shapes.bias.empty() ? 2 : 3);
  kernels::Matmul products[2];
  std::size_t count = 0;
  if (in.needs(0)) {
    const Tensor dx = Tensor::empty(x.shape(), g.dtype(), g.device(), "linear");
    products[count++] = {.a = gp.view(), .b = w.view(), .c = dx.view()};
    out[0] = Var(dx.reshape(shapes.x));
  }
  // Straight into the leaf's accumulator where there is one, else into zeros.
  const auto collected_in = [&](int i, const Shape& shape) {
    const Tensor acc = in.accumulator(i);
    if (acc.defined()) return acc;
    const Tensor zeros = Tensor::zeros(shape, gradient_dtype(g.dtype()), g.device());
    out[static_cast<std::size_t>(i)] = Var(zeros);
    return zeros;
  };
  if (in.needs(1))
    products[count++] = weight_gradient(gp, x, collected_in(1, shapes.w).reshape({l.rows.runs, l.n, l.k}), l);
  backend_of(x).matmuls({products, count});
  if (!shapes.bias.empty() && in.needs(2)) {
    const Tensor target = collected_in(2, shapes.bias);
    collect_bias(g3.to(target.dtype()), target, l);
  }
  return out;
}

// The same in plain operators: what second derivatives are made of.
Var linear_composed(const Var& x, const Var& w, const Var& bias, const Layout& l) {
  const bool packed = w.dim() == 3;
  Shape flat{l.total, l.k};
  if (packed) flat.insert(0, l.rows.runs);
  Shape out = x.shape();
  out[out.size() - 1] = w.size(-2);
  Var y = matmul(reshape(x, flat), transpose(w, -1, -2));
  if (bias.defined()) y = y + (packed ? unsqueeze(bias, 1) : bias);
  return reshape(y, out);
}

}  // namespace

Var linear(const Var& x, const Var& w, const Var& bias) {
  const Layout l = Layout::of(x.shape(), w.shape(), bias.defined() ? bias.shape() : Shape{}, bias.defined());
  kernels::check_floating("linear", x.value());
  const bool mixed = w.dtype() == DType::bf16 && x.dtype() == DType::f32;
  if (!mixed) kernels::check_same_dtype("linear", x.value(), w.value());
  const Tensor x3 = x.value().to(w.dtype()).contiguous().reshape({l.rows.runs, l.total, l.k});
  const Tensor w3 = l.rows.runs == 1 && w.value().dim() == 2 ? w.value().unsqueeze(0)
                                                             : w.value().contiguous().reshape({l.rows.runs, l.n, l.k});
  const Tensor y3 = product(x3, w3, x.dtype(), l);
  if (bias.defined())
    backend_of(y3).binary(kernels::Binary::add, y3.view(),
                          bias.value().to(x.dtype()).reshape({l.rows.runs, 1, l.n}).expand(y3.shape()).view(),
                          y3.view());
  Shape shape = x.shape();
  shape[shape.size() - 1] = l.n;
  const Var inputs[] = {x, w, bias};
  const std::size_t n = bias.defined() ? 3 : 2;
  const Shapes shapes{x.shape(), w.shape(), bias.defined() ? bias.shape() : Shape{}};
  if (mixed)  // the bf16 copy of x is what backward reads: half the memory of x itself
    return record("linear", inputs, n, y3.reshape(shape), Saves::nothing,
                  [l, shapes, x3, w3](const Saved& in, const Var& g) -> Grads {
                    if (grad_enabled()) fail("linear", "second derivatives are not offered for bf16 products; use f32");
                    return linear_grads(in, x3, w3, g, l, shapes);
                  });
  return record(
      "linear", inputs, n, y3.reshape(shape), Saves::inputs, [l, shapes](const Saved& in, const Var& g) -> Grads {
        if (!grad_enabled())
          return linear_grads(in, in[0].value().contiguous().reshape({l.rows.runs, l.total, l.k}),
                              in[1].value().contiguous().reshape({l.rows.runs, l.n, l.k}), g, l, shapes);
        std::vector<Var> again{in[0], in[1]};
        if (!shapes.bias.empty()) again.push_back(in[2]);
        return grad_of_composed(
            [&](const std::vector<Var>& v) { return linear_composed(v[0], v[1], v.size() > 2 ? v[2] : Var(), l); },
            again, g);
      });
}

}  // namespace plumb
