// Blocks of reductions (core/cpu/reduce.h) and left folds of rows.
#include "core/cpu/isa/simd.h"
#include "core/cpu/reduce_table.h"

namespace plumb::cpu::PLUMB_ISA_NS {
namespace {

using kernels::Reduce;

constexpr int fixed_lanes = 32;

// The three joins; NaN wins over everything.
template <class T>
struct Sum {
  static constexpr T start = 0;
  template <class V>
  PLUMB_INLINE V join(V a, V b) {
    return a + b;
  }
};
template <class T>
struct Max {
  static constexpr T start = -__builtin_inf();
  PLUMB_INLINE Vec<T> join(Vec<T> a, Vec<T> b) { return ((b > a) | (b != b)) ? b : a; }
  PLUMB_INLINE T join(T a, T b) { return b > a || b != b ? b : a; }
};
template <class T>
struct Min {
  static constexpr T start = __builtin_inf();
  PLUMB_INLINE Vec<T> join(Vec<T> a, Vec<T> b) { return ((b < a) | (b != b)) ? b : a; }
  PLUMB_INLINE T join(T a, T b) { return b < a || b != b ? b : a; }
};

template <class T, class Op>
T block_of(const T* x, int64_t n) {
  constexpr int parts = fixed_lanes / lanes<T>;
  Vec<T> sums[parts];
  for (int p = 0; p < parts; ++p) sums[p] = splat<T>(Op::start);
  int64_t i = 0;
  for (; i + fixed_lanes <= n; i += fixed_lanes)
    for (int p = 0; p < parts; ++p) sums[p] = Op::join(sums[p], load<T>(x + i + p * lanes<T>));
  T lane[fixed_lanes];
  for (int p = 0; p < parts; ++p) store<T>(lane + p * lanes<T>, sums[p]);
  for (int l = 0; i + l < n; ++l) lane[l] = Op::join(lane[l], x[i + l]);
  for (int half = fixed_lanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lane[l] = Op::join(lane[l], lane[l + half]);
  return lane[0];
}

// The same tree for some columns at once: `vectors` vectors of them, or `width` < lanes of one.
template <class T, class Op, int vectors>
void columns_tile(const T* x, int64_t row_step, int64_t n, int64_t width, T* out) {
  const bool whole = width >= lanes<T>;
  const int64_t used = n < fixed_lanes ? n : fixed_lanes;
  Vec<T> lane[fixed_lanes][vectors];
  for (auto& row : lane)
    for (Vec<T>& v : row) v = splat<T>(Op::start);
  for (int64_t i = 0; i < n; i += fixed_lanes)
    for (int64_t l = 0; l < used && i + l < n; ++l)
      for (int v = 0; v < vectors; ++v) {
        const T* row = x + (i + l) * row_step + v * lanes<T>;
        lane[l][v] = Op::join(lane[l][v], whole ? load<T>(row) : load_part<T>(row, width));
      }
  for (int half = fixed_lanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l)
      for (int v = 0; v < vectors; ++v) lane[l][v] = Op::join(lane[l][v], lane[l + half][v]);
  for (int v = 0; v < vectors; ++v) {
    if (whole) store<T>(out + v * lanes<T>, lane[0][v]);
    else store_part<T>(out, lane[0][v], width);
  }
}

template <class T, class Op>
void block_columns_of(const T* x, int64_t row_step, int64_t n, int64_t columns, T* out) {
  constexpr int64_t wide = 4 * lanes<T>, one = lanes<T>;
  int64_t c = 0;
  for (; c + wide <= columns; c += wide) columns_tile<T, Op, 4>(x + c, row_step, n, wide, out + c);
  for (; c < columns; c += one)
    columns_tile<T, Op, 1>(x + c, row_step, n, columns - c < one ? columns - c : one, out + c);
}

template <class T>
T block(Reduce op, const T* x, int64_t n) {
  switch (op) {
    case Reduce::max: return block_of<T, Max<T>>(x, n);
    case Reduce::min: return block_of<T, Min<T>>(x, n);
    default: return block_of<T, Sum<T>>(x, n);
  }
}
template <class T>
void block_columns(Reduce op, const T* x, int64_t row_step, int64_t n, int64_t columns, T* out) {
  switch (op) {
    case Reduce::max: return block_columns_of<T, Max<T>>(x, row_step, n, columns, out);
    case Reduce::min: return block_columns_of<T, Min<T>>(x, row_step, n, columns, out);
    default: return block_columns_of<T, Sum<T>>(x, row_step, n, columns, out);
  }
}

template <class T, int vectors>
void add_rows_tile(const T* x, int64_t row_step, int64_t n, T* out) {
  Vec<T> sums[vectors] = {};
  for (int64_t r = 0; r < n; ++r)
    for (int v = 0; v < vectors; ++v) sums[v] += load<T>(x + r * row_step + v * lanes<T>);
  for (int v = 0; v < vectors; ++v) store<T>(out + v * lanes<T>, load<T>(out + v * lanes<T>) + sums[v]);
}

template <class T>
void add_rows(const T* x, int64_t row_step, int64_t n, int64_t columns, T* out) {
  int64_t c = 0;
  for (; c + 4 * lanes<T> <= columns; c += 4 * lanes<T>) add_rows_tile<T, 4>(x + c, row_step, n, out + c);
  for (; c + lanes<T> <= columns; c += lanes<T>) add_rows_tile<T, 1>(x + c, row_step, n, out + c);
  for (; c < columns; ++c) {
    T sum = 0;
    for (int64_t r = 0; r < n; ++r) sum += x[r * row_step + c];
    out[c] += sum;
  }
}

template <class T>
double square_block(const T* x, int64_t n) {
  double lane[fixed_lanes] = {};
  int64_t i = 0;
  for (; i + fixed_lanes <= n; i += fixed_lanes)
    for (int l = 0; l < fixed_lanes; ++l) lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  for (int l = 0; i + l < n; ++l) lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  for (int half = fixed_lanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lane[l] += lane[l + half];
  return lane[0];
}

template <class T>
constexpr ReduceLoops<T> loops{block<T>, block_columns<T>, add_rows<T>};

}  // namespace

const ReduceTable& reduce_table() {
  static constexpr ReduceTable table{loops<float>, loops<double>, square_block<float>, square_block<double>};
  return table;
}

}  // namespace plumb::cpu::PLUMB_ISA_NS
