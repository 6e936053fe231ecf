// Products of tensors: batch dimensions, blocks of C for the threads, and C in bf16. Each element's order of additions
// is fixed by the matmul contract, so blocks may be cut in any way.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "core/cpu/backend.h"
#include "core/cpu/gemm.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

using kernels::Matmul;

// A batch dimension: its size and the steps of A, B and C.
struct BatchDim {
  std::int64_t size = 1, a = 0, b = 0, c = 0;
};

// The step of an operand along a batch dimension counted from the right; 0 where it has none.
std::int64_t batch_stride(const Raw& x, int from_right) {
  const int d = x.shape.size() - 3 - from_right;
  return d < 0 || x.shape[d] == 1 ? 0 : x.strides[d];
}

struct Plan {
  AnyGemm one;  // of batch 0
  BatchDim dims[max_dims];
  int dim_count = 0;
  std::int64_t batch = 1;

  std::byte* at(const void* base, DType t, std::int64_t elements) const {
    return static_cast<std::byte*>(const_cast<void*>(base)) + elements * static_cast<std::int64_t>(size_of(t));
  }
  AnyGemm of_batch(std::int64_t index) const {
    std::int64_t a = 0, b = 0, c = 0;
    for (int d = 0; d < dim_count; ++d) {  // the last batch dimension first
      const std::int64_t i = index % dims[d].size;
      index /= dims[d].size;
      a += i * dims[d].a, b += i * dims[d].b, c += i * dims[d].c;
    }
    return shifted(one, a, b, c);
  }
  AnyGemm shifted(AnyGemm g, std::int64_t a, std::int64_t b, std::int64_t c) const {
    g.a = at(g.a, g.a_dtype, a);
    g.b = at(g.b, g.b_dtype, b);
    g.c = at(g.c, g.c_dtype, c);
    return g;
  }
  AnyGemm block_of(const AnyGemm& g, std::int64_t i, std::int64_t rows, std::int64_t j, std::int64_t columns) const {
    AnyGemm part = shifted(g, i * g.a_row, j * g.b_col, i * g.c_row + j * g.c_col);
    part.m = rows, part.n = columns;
    return part;
  }
};

Plan plan_of(const Matmul& m) {
  const int rows = m.c.shape.size() - 2, columns = rows + 1;
  const int a = m.a.shape.size() - 2, b = m.b.shape.size() - 2;
  Plan p;
  p.one = {.m = m.c.shape[rows],
           .n = m.c.shape[columns],
           .k = m.a.shape[a + 1],
           .a = m.a.data,
           .a_dtype = m.a.dtype,
           .a_row = m.a.strides[a],
           .a_col = m.a.strides[a + 1],
           .b = m.b.data,
           .b_dtype = m.b.dtype,
           .b_row = m.b.strides[b],
           .b_col = m.b.strides[b + 1],
           .c = m.c.data,
           .c_dtype = m.c.dtype,
           .c_row = m.c.strides[rows],
           .c_col = m.c.strides[columns],
           .accumulate = m.accumulate,
           .k_example = m.k_example};
  for (int d = 0; d < rows; ++d) {
    const BatchDim dim{m.c.shape[rows - 1 - d], batch_stride(m.a, d), batch_stride(m.b, d), m.c.strides[rows - 1 - d]};
    if (dim.size == 1) continue;
    // Rows of neighbouring batches that meet the same B are rows of one taller product.
    const bool taller =
        p.dim_count == 0 && dim.b == 0 && dim.a == p.one.m * p.one.a_row && dim.c == p.one.m * p.one.c_row;
    if (taller) p.one.m *= dim.size;
    else p.dims[p.dim_count++] = dim, p.batch *= dim.size;
  }
  return p;
}

// In multiply-adds. A few rows cost as much as a dozen: B has to be read.
std::int64_t work_of(std::int64_t rows, std::int64_t columns, std::int64_t k) {
  return std::max<std::int64_t>(rows, 12) * columns * k;
}

// How C is cut for the threads: in halves of the longer side until there are a few blocks for each, none too small.
struct Cut {
  std::int64_t rows = 1, columns = 1, down = 1, across = 1;
};
Cut cut_for(const Plan& p) {
  constexpr std::int64_t least_work = 1 << 20, row_step = 48, column_step = 32;  // whole register tiles
  const int threads = num_threads();
  Cut cut{p.one.m, p.one.n, 1, 1};
  const auto round_up = [](std::int64_t x, std::int64_t step) { return (x + step - 1) / step * step; };
  const auto pieces = [](std::int64_t x, std::int64_t step) { return (x + step - 1) / step; };
  while (threads > 1 && p.batch * cut.down * cut.across < 2 * threads &&
         work_of(cut.rows, cut.columns, p.one.k) > least_work) {
    Cut next = cut;
    if (cut.rows > cut.columns) next.rows = round_up(pieces(cut.rows, 2), row_step);
    else next.columns = round_up(pieces(cut.columns, 2), column_step);
    if (next.rows == cut.rows && next.columns == cut.columns) break;
    cut = {next.rows, next.columns, pieces(p.one.m, next.rows), pieces(p.one.n, next.columns)};
  }
  return cut;
}

template <class To, class From>
void convert(To* to, std::int64_t to_row, std::int64_t to_column, const From* from, std::int64_t from_row,
             std::int64_t from_column, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      to[i * to_row + j * to_column] = To(static_cast<float>(from[i * from_row + j * from_column]));
}

// C in bf16: sums live in f32 and are rounded once.
void product_rounded(const Plan& p, const AnyGemm& g) {
  constexpr std::int64_t rows = 96, columns = 448;
  thread_local std::vector<float> sums(rows * columns);
  for (std::int64_t i = 0; i < g.m; i += rows)
    for (std::int64_t j = 0; j < g.n; j += columns) {
      AnyGemm part = p.block_of(g, i, std::min(rows, g.m - i), j, std::min(columns, g.n - j));
      auto* c = static_cast<Bf16*>(part.c);
      if (g.accumulate) convert(sums.data(), columns, 1, c, g.c_row, g.c_col, part.m, part.n);
      part.c = sums.data(), part.c_dtype = DType::f32, part.c_row = columns, part.c_col = 1;
      gemm_serial(part);
      convert(c, g.c_row, g.c_col, sums.data(), columns, 1, part.m, part.n);
    }
}

// A product and its blocks of C, numbered column of blocks by column, batch by batch.
struct Blocks {
  Plan plan;
  Cut cut;
  std::int64_t first = 0, count = 0;  // among those of all products of a call

  explicit Blocks(const Matmul& m) : plan(plan_of(m)) {
    if (plan.batch == 0 || plan.one.m == 0 || plan.one.n == 0) return;
    cut = cut_for(plan);
    count = plan.batch * cut.down * cut.across;
  }
  std::int64_t work() const { return std::max<std::int64_t>(1, work_of(cut.rows, cut.columns, plan.one.k)); }

  void run(std::int64_t begin, std::int64_t end) const {
    const std::int64_t of_one = cut.down * cut.across;
    for (std::int64_t t = begin; t < end;) {
      const AnyGemm whole = plan.of_batch(t / of_one);
      const std::int64_t down = t % cut.down, j = t % of_one / cut.down * cut.columns;
      const std::int64_t below = std::min(cut.down - down, end - t);  // these share the panels of B
      const std::int64_t i = down * cut.rows, rows = std::min(below * cut.rows, whole.m - i);
      const AnyGemm g = plan.block_of(whole, i, rows, j, std::min(cut.columns, whole.n - j));
      if (g.c_dtype == DType::bf16) product_rounded(plan, g);
      else gemm_serial(g);
      t += below;
    }
  }
};

}  // namespace

void CpuBackend::matmul(const Matmul& m) { matmuls({&m, 1}); }

void CpuBackend::matmuls(std::span<const Matmul> all) {
  constexpr std::int64_t worth_a_thread = 1 << 19;  // multiply-adds: some 5 us
  constexpr std::size_t at_once = 4;
  for (; all.size() > at_once; all = all.subspan(at_once)) matmuls(all.first(at_once));
  std::optional<Blocks> products[at_once];
  std::int64_t count = 0, work = 0;
  for (std::size_t p = 0; p < all.size(); ++p) {
    Blocks& blocks = products[p].emplace(all[p]);
    blocks.first = count;
    count += blocks.count;
    work = std::max(work, blocks.work());
  }
  if (count == 0) return;
  parallel_for(count, std::max<std::int64_t>(1, worth_a_thread / work), [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t p = 0; p < all.size(); ++p) {
      const Blocks& b = *products[p];
      b.run(std::max(begin - b.first, std::int64_t{0}), std::min(end - b.first, b.count));
    }
  });
}

}  // namespace plumb::cpu
