// Convolution by columns: patches of an image as the columns of a matrix, and the way back.
#include <cstring>

#include "core/cpu/backend.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

struct Patches {
  std::int64_t images, channels, height, width, out_height, out_width;
  int kernel, stride, padding;

  Patches(const Raw& x, int k, int s, int p)
      : images(x.shape[0]),
        channels(x.shape[1]),
        height(x.shape[2]),
        width(x.shape[3]),
        out_height((height + 2 * p - k) / s + 1),
        out_width((width + 2 * p - k) / s + 1),
        kernel(k),
        stride(s),
        padding(p) {}
  std::int64_t positions() const { return out_height * out_width; }
  std::int64_t taps() const { return std::int64_t{kernel} * kernel; }

  // Calls f(row of the matrix, offset in the image plane or -1 outside) for one tap and every position, in order.
  template <class F>
  void each_position(std::int64_t tap, F&& f) const {
    const std::int64_t dy = tap / kernel - padding, dx = tap % kernel - padding;
    for (std::int64_t oy = 0; oy < out_height; ++oy)
      for (std::int64_t ox = 0; ox < out_width; ++ox) {
        const std::int64_t y = oy * stride + dy, x = ox * stride + dx;
        f(oy * out_width + ox, y < 0 || y >= height || x < 0 || x >= width ? -1 : y * width + x);
      }
  }
};

}  // namespace

void CpuBackend::im2col(const Raw& x, const Raw& cols, int kernel, int stride, int padding) {
  const Patches p(x, kernel, stride, padding);
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    parallel_for(p.images * p.channels * p.taps(), grain_for(p.positions()), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const T* plane = static_cast<const T*>(x.data) + i / p.taps() * p.height * p.width;
        T* row = static_cast<T*>(cols.data) + i * p.positions();
        p.each_position(i % p.taps(),
                        [&](std::int64_t at, std::int64_t from) { row[at] = from < 0 ? T{} : plane[from]; });
      }
    });
  });
}

// Adds into x, tap by tap; each plane has one owner.
void CpuBackend::col2im(const Raw& cols, const Raw& x, int kernel, int stride, int padding) {
  const Patches p(x, kernel, stride, padding);
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    parallel_for(p.images * p.channels, grain_for(p.positions() * p.taps()), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        T* plane = static_cast<T*>(x.data) + i * p.height * p.width;
        for (std::int64_t tap = 0; tap < p.taps(); ++tap) {
          const T* row = static_cast<const T*>(cols.data) + (i * p.taps() + tap) * p.positions();
          p.each_position(tap, [&](std::int64_t at, std::int64_t to) {
            if (to < 0) return;
            if constexpr (std::is_same_v<T, Bf16>)
              plane[to] = Bf16(static_cast<float>(plane[to]) + static_cast<float>(row[at]));
            else plane[to] = static_cast<T>(plane[to] + row[at]);
          });
        }
      }
    });
  });
}

}  // namespace plumb::cpu
