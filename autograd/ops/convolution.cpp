// Convolution as columns times weights, and pooling.
#include "autograd/node.h"
#include "autograd/ops.h"
#include "core/tensor_ops.h"

namespace plumb {
namespace {

struct Window {
  int kernel, stride, padding;
  std::int64_t out(std::int64_t n) const { return (n + 2 * padding - kernel) / stride + 1; }
};

Var columns(const Var& x, const Window& w);

// The transpose of columns(): adds columns back into an image.
Var image(const Var& cols, const Shape& shape, const Window& w) {
  const Tensor out = Tensor::zeros(shape, cols.dtype(), cols.device());
  backend_of(out).col2im(cols.value().contiguous().view(), out.view(), w.kernel, w.stride, w.padding);
  return record("col2im", {cols}, out, Saves::nothing,
                [w](const Saved&, const Var& g) -> Grads { return {columns(g, w)}; });
}

Var columns(const Var& x, const Window& w) {
  const Shape s = x.shape();
  const Tensor out =
      Tensor::empty({s[0], s[1] * w.kernel * w.kernel, w.out(s[2]) * w.out(s[3])}, x.dtype(), x.device(), "im2col");
  backend_of(out).im2col(x.value().contiguous().view(), out.view(), w.kernel, w.stride, w.padding);
  return record("im2col", {x}, out, Saves::nothing,
                [s, w](const Saved&, const Var& g) -> Grads { return {image(g, s, w)}; });
}

}  // namespace

Var conv2d(const Var& x, const Var& w, const Var& bias, int stride, int padding) {
  if (x.dim() != 4 || w.dim() != 4 || x.size(1) != w.size(1) || w.size(2) != w.size(3))
    fail("conv2d", "input {} does not fit weight {}: [B,C,H,W] and [O,C,k,k]", to_string(x.shape()),
         to_string(w.shape()));
  if (stride < 1 || padding < 0) fail("conv2d", "stride {} and padding {} make no sense", stride, padding);
  const Window window{static_cast<int>(w.size(2)), stride, padding};
  if (x.size(2) + 2 * padding < window.kernel || x.size(3) + 2 * padding < window.kernel)
    fail("conv2d", "a kernel of {} does not fit input {}", window.kernel, to_string(x.shape()));
  const Var cols = columns(x, window);  // [B, C k k, P]
  const Var flat = reshape(w, {w.size(0), w.size(1) * w.size(2) * w.size(3)});
  // Rows of one example are its pixels, so that gradients add up example by example.
  const Var y = linear(transpose(cols, 1, 2), flat, bias);  // [B, P, O]
  return reshape(transpose(y, 1, 2), {x.size(0), w.size(0), window.out(x.size(2)), window.out(x.size(3))});
}

namespace {

Var pooled(const char* name, const Var& x, int size) {  // [B, C, h, w, size * size]
  if (x.dim() != 4 || size < 1 || x.size(2) % size != 0 || x.size(3) % size != 0)
    fail(name, "windows of {} do not tile {}", size, to_string(x.shape()));
  const std::int64_t h = x.size(2) / size, w = x.size(3) / size;
  const Var split = reshape(x, {x.size(0) * x.size(1), h, size, w, size});
  return reshape(permute(split, {0, 1, 3, 2, 4}), {x.size(0), x.size(1), h, w, std::int64_t{size} * size});
}

}  // namespace

Var max_pool2d(const Var& x, int size) { return max(pooled("max_pool2d", x, size), -1); }
Var avg_pool2d(const Var& x, int size) { return mean(pooled("avg_pool2d", x, size), {-1}); }

}  // namespace plumb
