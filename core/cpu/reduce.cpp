// Reductions of the CPU over any axes and strides, by the tree of reduce.h.
#include "core/cpu/reduce.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/cpu/backend.h"
#include "core/cpu/convert.h"
#include "core/cpu/isa.h"
#include "core/parallel.h"

namespace plumb::cpu {

const ReduceTable& reduce_table() {
  static const ReduceTable& t = choose<ReduceTable>(baseline::reduce_table, avx2::reduce_table, avx512::reduce_table);
  return t;
}

namespace {

using kernels::Reduce;

template <class T>
const ReduceLoops<T>& loops() {
  if constexpr (std::is_same_v<T, float>) return reduce_table().f32;
  else return reduce_table().f64;
}

// Some axes of a tensor, neighbours merged where they step alike.
struct Axes {
  int dims = 0;
  std::int64_t shape[max_dims] = {}, x_step[max_dims] = {}, out_step[max_dims] = {}, count = 1;

  void add(std::int64_t n, std::int64_t x, std::int64_t out) {
    count *= n;
    if (n == 1) return;
    if (dims && x_step[dims - 1] == x * n && out_step[dims - 1] == out * n) --dims;
    else shape[dims] = 1;
    shape[dims] *= n;
    x_step[dims] = x;
    out_step[dims++] = out;
  }
  // Offset of the i-th element, by the steps of x or of out.
  std::int64_t at(std::int64_t i, const std::int64_t* step) const {
    std::int64_t offset = 0;
    for (int d = dims - 1; d > 0; --d) {
      offset += i % shape[d] * step[d];
      i /= shape[d];
    }
    return dims ? offset + i * step[0] : 0;
  }
};

constexpr std::int64_t tile = 64;  // columns reduced together

struct Plan {
  Axes kept, reduced;
  std::int64_t columns = 1;  // outputs that are reduced together: neighbours in x
  std::int64_t column_out_step = 0;
};

Plan plan_of(const Raw& x, const Raw& out, bool by_columns) {
  Plan p;
  for (int d = 0; d < x.shape.size(); ++d) {
    if (out.shape[d] == x.shape[d]) p.kept.add(x.shape[d], x.strides[d], out.strides[d]);
    else p.reduced.add(x.shape[d], x.strides[d], 0);
  }
  Axes& k = p.kept;
  by_columns &= p.reduced.dims > 0 && p.reduced.x_step[p.reduced.dims - 1] != 1;
  if (by_columns && k.dims && k.x_step[k.dims - 1] == 1) {  // the last kept axis becomes columns
    --k.dims;
    p.columns = std::min(k.shape[k.dims], tile);
    p.column_out_step = k.out_step[k.dims];
  }
  return p;
}

// Rows [first, first + n) of the reduced axes, `columns` wide, in the type of the sums: in place, or through `buffer`.
template <class T>
struct Block {
  const T* data;
  std::int64_t row_step;
};

template <class T, class X>
Block<T> block_at(const X* x, const Axes& reduced, std::int64_t first, std::int64_t n, std::int64_t columns,
                  T* buffer) {
  const std::int64_t step = reduced.dims ? reduced.x_step[reduced.dims - 1] : 1;
  if constexpr (std::is_same_v<T, X>)
    if (reduced.dims <= 1 && (columns > 1 || step == 1)) return {x + first * step, step};
  for (std::int64_t done = 0; done < n;) {
    const std::int64_t inner = reduced.dims ? reduced.shape[reduced.dims - 1] : 1;
    const std::int64_t run = std::min(n - done, inner - (first + done) % inner);
    const X* from = x + reduced.at(first + done, reduced.x_step);
    for (std::int64_t i = 0; i < run; ++i)
      for (std::int64_t c = 0; c < columns; ++c) buffer[(done + i) * columns + c] = convert<T>(from[i * step + c]);
    done += run;
  }
  return {buffer, columns};
}

template <class T>
T join(Reduce op, T a, T b) {
  if (op == Reduce::sum) return a + b;
  if (b != b) return b;
  return (op == Reduce::max ? b > a : b < a) ? b : a;
}

// One tile of outputs: partial [blocks, columns] gets the blocks, then their tree.
template <class T, class X>
void reduce_tile(Reduce op, const X* x, const Axes& reduced, std::int64_t columns, T* partial, bool parallel) {
  const std::int64_t n = reduced.count, blocks = (n + reduce_block - 1) / reduce_block;
  const auto some_blocks = [&](std::int64_t begin, std::int64_t end) {
    alignas(64) T small[reduce_block];
    const bool gathers = columns > 1 && !(std::is_same_v<T, X> && reduced.dims <= 1);
    std::vector<T> large(gathers ? static_cast<std::size_t>(std::min(n, reduce_block) * columns) : 0);
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t first = b * reduce_block, rows = std::min(reduce_block, n - first);
      const Block<T> at = block_at<T>(x, reduced, first, rows, columns, columns > 1 ? large.data() : small);
      T* to = partial + b * columns;
      if (columns == 1 && at.row_step == 1) *to = loops<T>().block(op, at.data, rows);
      else loops<T>().block_columns(op, at.data, at.row_step, rows, columns, to);
    }
  };
  if (parallel) parallel_for(blocks, grain_for(reduce_block * columns), some_blocks);
  else some_blocks(0, blocks);
  join_pairs(partial, blocks, columns, [op](T a, T b) { return join(op, a, b); });
}

template <class T, class X, class Out>
void reduce_floats(Reduce op, const Raw& x, const Raw& out) {
  const Plan p = plan_of(x, out, true);
  const std::int64_t whole = p.columns > 1 ? p.kept.shape[p.kept.dims] : 1;
  const std::int64_t tiles = (whole + p.columns - 1) / p.columns, outer = p.kept.count / whole, items = outer * tiles;
  const std::int64_t blocks = (p.reduced.count + reduce_block - 1) / reduce_block;
  const bool inside = items < 2 * num_threads() && blocks >= 32;  // threads share one output's blocks
  const auto some_items = [&](std::int64_t begin, std::int64_t end) {
    T few[4 * tile];
    std::vector<T> many(blocks > 4 ? static_cast<std::size_t>(blocks * p.columns) : 0);
    T* partial = blocks > 4 ? many.data() : few;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = tiles == 1 ? i : i / tiles, first = tiles == 1 ? 0 : i % tiles * p.columns;
      const std::int64_t columns = std::min(p.columns, whole - first);
      const X* from = static_cast<const X*>(x.data) + p.kept.at(row, p.kept.x_step) + first;
      Out* to = static_cast<Out*>(out.data) + p.kept.at(row, p.kept.out_step) + first * p.column_out_step;
      reduce_tile<T>(op, from, p.reduced, columns, partial, inside);
      for (std::int64_t c = 0; c < columns; ++c) to[c * p.column_out_step] = convert<Out>(partial[c]);
    }
  };
  if (inside) some_items(0, items);
  else parallel_for(items, grain_for(p.reduced.count * p.columns), some_items);
}

// Integers: any order gives the same sum, which wraps.
template <class X, class Out>
void reduce_integers(Reduce op, const Raw& x, const Raw& out) {
  const Plan p = plan_of(x, out, false);
  const Axes &kept = p.kept, &r = p.reduced;
  const std::int64_t inner = r.dims ? r.shape[r.dims - 1] : 1, step = r.dims ? r.x_step[r.dims - 1] : 0;
  parallel_for(kept.count, grain_for(r.count), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const X* from = static_cast<const X*>(x.data) + kept.at(i, kept.x_step);
      std::uint64_t sum = 0;
      X most = *from;
      for (std::int64_t e = 0; e < r.count; e += inner) {
        const X* row = from + r.at(e, r.x_step);
        for (std::int64_t k = 0; k < inner; ++k) {
          const X v = row[k * step];
          sum += static_cast<std::uint64_t>(v);
          most = op == Reduce::max ? std::max(most, v) : std::min(most, v);
        }
      }
      static_cast<Out*>(out.data)[kept.at(i, kept.out_step)] =
          op == Reduce::sum ? static_cast<Out>(sum) : static_cast<Out>(most);
    }
  });
}

// Over no elements: the sum is zero; a maximum of floats is minus infinity.
double of_nothing(Reduce op, DType t) {
  if (op == Reduce::sum || !is_floating(t)) return 0;
  return op == Reduce::max ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
}

}  // namespace

// Sums of bf16 are f32 sums, and sums into f64 are f64 sums.
void CpuBackend::reduce(Reduce op, const Raw& x, const Raw& out) {
  if (numel(out.shape) == 0) return;
  if (numel(x.shape) == 0) return fill(out, of_nothing(op, out.dtype));
  visit_dtype(x.dtype, [&](auto x_zero) {
    visit_dtype(out.dtype, [&](auto out_zero) {
      using X = decltype(x_zero);
      using Out = decltype(out_zero);
      constexpr bool floats = is_floating(dtype_of<X>) && is_floating(dtype_of<Out>);
      if constexpr (floats) {
        using T = std::conditional_t<std::is_same_v<X, double> || std::is_same_v<Out, double>, double, float>;
        reduce_floats<T, X, Out>(op, x, out);
      } else if constexpr (std::is_integral_v<X> && std::is_integral_v<Out>) {
        reduce_integers<X, Out>(op, x, out);
      } else {
        fail("reduce", "a reduction of {} cannot give {}", name_of(dtype_of<X>), name_of(dtype_of<Out>));
      }
    });
  });
}

double CpuBackend::sum_of_squares(const Raw& x) {
  const std::int64_t n = numel(x.shape), blocks = (n + reduce_block - 1) / reduce_block;
  if (n == 0) return 0;
  std::vector<double> partial(static_cast<std::size_t>(blocks));
  parallel_for(blocks, grain_for(reduce_block), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t first = b * reduce_block, rows = std::min(reduce_block, n - first);
      double& to = partial[static_cast<std::size_t>(b)];
      if (x.dtype == DType::f64) {
        to = reduce_table().square_block_f64(static_cast<const double*>(x.data) + first, rows);
      } else if (x.dtype == DType::f32) {
        to = reduce_table().square_block_f32(static_cast<const float*>(x.data) + first, rows);
      } else {
        PLUMB_ASSERT(x.dtype == DType::bf16);
        float wide[reduce_block];
        for (std::int64_t i = 0; i < rows; ++i)
          wide[i] = static_cast<float>(static_cast<const Bf16*>(x.data)[first + i]);
        to = reduce_table().square_block_f32(wide, rows);
      }
    }
  });
  join_pairs(partial.data(), blocks, 1, [](double a, double b) { return a + b; });
  return partial[0];
}

}  // namespace plumb::cpu
