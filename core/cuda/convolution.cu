// Columns of an image and back. Each pixel of col2im is one thread that adds its columns in order of the taps.
#include "core/cuda/backend.h"

namespace plumb::cuda {
namespace {

struct Image {
  i64 batch, channels, height, width, kernel, stride, padding, out_height, out_width;
  i64 pixels() const { return batch * channels * height * width; }
  i64 columns() const { return batch * channels * kernel * kernel * out_height * out_width; }
};
Image image_of(const Raw& x, int kernel, int stride, int padding) {
  Image s{x.shape[0], x.shape[1], x.shape[2], x.shape[3], kernel, stride, padding, 0, 0};
  s.out_height = (s.height + 2 * padding - kernel) / stride + 1;
  s.out_width = (s.width + 2 * padding - kernel) / stride + 1;
  return s;
}

template <class T>
__global__ void im2col_kernel(Image s, i64 count, const T* x, T* cols) {
  for (i64 i = first_item(); i < count; i += all_threads()) {
    i64 rest = i;
    const i64 ow = rest % s.out_width, oh = (rest /= s.out_width) % s.out_height;
    const i64 kw = (rest /= s.out_height) % s.kernel, kh = (rest /= s.kernel) % s.kernel, plane = rest / s.kernel;
    const i64 h = oh * s.stride - s.padding + kh, w = ow * s.stride - s.padding + kw;
    const bool is_inside = h >= 0 && h < s.height && w >= 0 && w < s.width;
    cols[i] = is_inside ? x[(plane * s.height + h) * s.width + w] : T{};
  }
}

template <class T>
__global__ void col2im_kernel(Image s, i64 count, const T* cols, T* x) {
  for (i64 i = first_item(); i < count; i += all_threads()) {
    const i64 w = i % s.width, h = i / s.width % s.height, plane = i / s.width / s.height;
    Compute<T> sum = widen(x[i]);
    for (i64 kh = 0; kh < s.kernel; ++kh) {
      const i64 down = h + s.padding - kh, oh = down / s.stride;
      if (down < 0 || down % s.stride != 0 || oh >= s.out_height) continue;
      for (i64 kw = 0; kw < s.kernel; ++kw) {
        const i64 across = w + s.padding - kw, ow = across / s.stride;
        if (across < 0 || across % s.stride != 0 || ow >= s.out_width) continue;
        sum += widen(cols[(((plane * s.kernel + kh) * s.kernel + kw) * s.out_height + oh) * s.out_width + ow]);
      }
    }
    x[i] = narrow<T>(sum);
  }
}

}  // namespace

void CudaBackend::im2col(const Raw& x, const Raw& cols, int kernel, int stride, int padding) {
  const Image s = image_of(x, kernel, stride, padding);
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_over(this->stream(), s.columns(), im2col_kernel<T>, s, s.columns(), static_cast<const T*>(x.data),
                static_cast<T*>(cols.data));
  });
}

void CudaBackend::col2im(const Raw& cols, const Raw& x, int kernel, int stride, int padding) {
  const Image s = image_of(x, kernel, stride, padding);
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_over(this->stream(), s.pixels(), col2im_kernel<T>, s, s.pixels(), static_cast<const T*>(cols.data),
                static_cast<T*>(x.data));
  });
}

}  // namespace plumb::cuda
