// Indexing of the CPU. Additions into one target happen in order of position: work is shared by targets, never by
// sources.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/cpu/backend.h"
#include "core/cpu/convert.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

// a + b in the type that additions of T are made in.
template <class T, class X>
T added(T a, X b) {
  if constexpr (std::is_same_v<T, Bf16>) return Bf16(static_cast<float>(a) + convert<float>(b));
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(convert<T>(b)));
  else return a + convert<T>(b);
}

// Offsets of coordinate i (row-major over `shape`, one axis left out) in up to three operands.
struct Lines {
  std::int64_t count = 1;
  Dims shape;
  Strides steps[3];

  Lines(const Shape& full, int axis, const Raw* const (&operands)[3]) {
    for (int d = 0; d < full.size(); ++d) {
      if (d == axis) continue;
      shape.push_back(full[d]);
      count *= full[d];
      for (int k = 0; k < 3; ++k) steps[k].push_back(operands[k]->strides[d]);
    }
  }
  void at(std::int64_t i, std::int64_t (&offset)[3]) const {
    std::fill(offset, offset + 3, 0);
    for (int d = shape.size() - 1; d >= 0; --d) {
      for (int k = 0; k < 3; ++k) offset[k] += i % shape[d] * steps[k][d];
      i /= shape[d];
    }
  }
};

// Calls f(a, b, c) with pointers to the first elements of matching lines of three operands.
template <class A, class B, class C, class F>
void each_line(const Lines& lines, std::int64_t length, const Raw& a, const Raw& b, const Raw& c, F&& f) {
  parallel_for(lines.count, grain_for(length * 2), [&](std::int64_t begin, std::int64_t end) {
    std::int64_t offset[3];
    for (std::int64_t i = begin; i < end; ++i) {
      lines.at(i, offset);
      f(static_cast<A*>(a.data) + offset[0], static_cast<B*>(b.data) + offset[1], static_cast<C*>(c.data) + offset[2]);
    }
  });
}

// A type that moves like dtype t.
template <class F>
void visit_size(DType t, F&& f) {
  switch (size_of(t)) {
    case 8: return f(std::uint64_t{});
    case 4: return f(std::uint32_t{});
    case 2: return f(std::uint16_t{});
    default: return f(std::uint8_t{});
  }
}

template <class T, class X>
void convert_row(const X* x, std::int64_t step, T* out, std::int64_t n) {
  if constexpr (std::is_same_v<T, X>)
    if (step == 1) {
      std::memcpy(out, x, static_cast<std::size_t>(n) * sizeof(T));
      return;
    }
  for (std::int64_t i = 0; i < n; ++i) out[i] = convert<T>(x[i * step]);
}

template <class T, class X>
void add_row(const X* x, std::int64_t x_step, T* to, std::int64_t to_step, std::int64_t n) {
  if (x_step == 1 && to_step == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = added(to[i], x[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * to_step] = added(to[i * to_step], x[i * x_step]);
  }
}

}  // namespace

void CpuBackend::gather(const Raw& x, const Raw& index, int axis, const Raw& out) {
  const Lines lines(out.shape, axis, {&x, &index, &out});
  const std::int64_t n = out.shape[axis], x_step = x.strides[axis], i_step = index.strides[axis],
                     o_step = out.strides[axis];
  visit_size(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    each_line<const T, const std::int64_t, T>(lines, n, x, index, out,
                                              [&](const T* from, const std::int64_t* at, T* to) {
                                                for (std::int64_t i = 0; i < n; ++i)
                                                  to[i * o_step] = from[at[i * i_step] * x_step];
                                              });
  });
}

void CpuBackend::scatter_add(const Raw& index, const Raw& x, int axis, const Raw& out) {
  const Lines lines(x.shape, axis, {&x, &index, &out});
  const std::int64_t n = x.shape[axis], x_step = x.strides[axis], i_step = index.strides[axis],
                     o_step = out.strides[axis];
  visit_dtype(out.dtype, [&](auto out_zero) {
    visit_dtype(x.dtype, [&](auto x_zero) {
      using T = decltype(out_zero);
      using X = decltype(x_zero);
      each_line<const X, const std::int64_t, T>(lines, n, x, index, out,
                                                [&](const X* from, const std::int64_t* at, T* to) {
                                                  for (std::int64_t i = 0; i < n; ++i) {
                                                    T& target = to[at[i * i_step] * o_step];
                                                    target = added(target, from[i * x_step]);
                                                  }
                                                });
    });
  });
}

void CpuBackend::take_rows(const Raw& table, const Raw& index, const Raw& out) {
  const std::int64_t n = out.shape[1], d = out.shape[2];
  visit_dtype(table.dtype, [&](auto x_zero) {
    visit_dtype(out.dtype, [&](auto out_zero) {
      using X = decltype(x_zero);
      using T = decltype(out_zero);
      parallel_for(out.shape[0] * n, grain_for(d), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t r = i / n, k = i % n;
          const std::int64_t row =
              static_cast<const std::int64_t*>(index.data)[r * index.strides[0] + k * index.strides[1]];
          const X* from = static_cast<const X*>(table.data) + r * table.strides[0] + row * table.strides[1];
          T* to = static_cast<T*>(out.data) + r * out.strides[0] + k * out.strides[1];
          if (out.strides[2] == 1) convert_row(from, table.strides[2], to, d);
          else
            for (std::int64_t c = 0; c < d; ++c) to[c * out.strides[2]] = convert<T>(from[c * table.strides[2]]);
        }
      });
    });
  });
}

// Wide rows are shared by columns; narrow ones by target rows, each thread reading the whole index.
void CpuBackend::add_to_rows(const Raw& index, const Raw& x, const Raw& table) {
  const std::int64_t runs = x.shape[0], n = x.shape[1], d = x.shape[2], rows = table.shape[1];
  const bool by_columns = d >= 32 * num_threads();
  const auto add = [&]<class T, class X>(T*, X*, std::int64_t r, std::int64_t row_begin, std::int64_t row_end,
                                         std::int64_t begin, std::int64_t end) {
    const std::int64_t* at = static_cast<const std::int64_t*>(index.data) + r * index.strides[0];
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t row = at[i * index.strides[1]];
      if (row < row_begin || row >= row_end) continue;
      const X* from = static_cast<const X*>(x.data) + r * x.strides[0] + i * x.strides[1] + begin * x.strides[2];
      T* to = static_cast<T*>(table.data) + r * table.strides[0] + row * table.strides[1] + begin * table.strides[2];
      add_row(from, x.strides[2], to, table.strides[2], end - begin);
    }
  };
  visit_dtype(table.dtype, [&](auto table_zero) {
    visit_dtype(x.dtype, [&](auto x_zero) {
      const std::int64_t width = by_columns ? d : rows, shares = n * d < 32768 ? 1 : num_threads();
      for (std::int64_t r = 0; r < runs; ++r)
        parallel_for(width, std::max<std::int64_t>(16, (width + shares - 1) / shares),
                     [&](std::int64_t begin, std::int64_t end) {
                       if (by_columns) add(&table_zero, &x_zero, r, 0, rows, begin, end);
                       else add(&table_zero, &x_zero, r, begin, end, 0, d);
                     });
    });
  });
}

bool CpuBackend::index_in_range(const Raw& index, std::int64_t low, std::int64_t high) {
  const int dims = index.shape.size();
  const std::int64_t inner = dims ? index.shape[dims - 1] : 1, step = dims ? index.strides[dims - 1] : 0;
  const std::int64_t rows = inner ? numel(index.shape) / inner : 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto* row = static_cast<const std::int64_t*>(index.data);
    std::int64_t rest = r;
    for (int d = dims - 2; d >= 0; --d) {
      row += rest % index.shape[d] * index.strides[d];
      rest /= index.shape[d];
    }
    for (std::int64_t i = 0; i < inner; ++i)
      if (row[i * step] < low || row[i * step] >= high) return false;
  }
  return true;
}

}  // namespace plumb::cpu
