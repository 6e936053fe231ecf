// The tree of every reduction: a function of the number of elements alone, the same for rows and columns, strides,
// instruction sets and threads.
//   The elements, in row-major order of the reduced axes, are cut into blocks of 1024.
//   In a block, lane l of 32 adds the elements l, l + 32, ... in order, starting from 0; then lane l takes lane l + 16,
//   then l + 8, and so on.
//   Blocks are added in pairs, pairs in pairs, and so on; one without a partner goes up as it is.
#pragma once

#include <cstdint>

#include "core/cpu/reduce_table.h"

namespace plumb::cpu {

inline constexpr std::int64_t reduce_block = 1024, reduce_lanes = 32;

const ReduceTable& reduce_table();

// Joins x[0], x[step], ... (n of them, each a row of `columns`) in pairs; the answer is left in x[0].
template <class T, class Join>
void join_pairs(T* x, std::int64_t n, std::int64_t columns, Join&& join) {
  for (; n > 1; n = (n + 1) / 2)
    for (std::int64_t i = 0; i < n; i += 2)
      for (std::int64_t c = 0; c < columns; ++c)
        x[i / 2 * columns + c] = i + 1 < n ? join(x[i * columns + c], x[(i + 1) * columns + c]) : x[i * columns + c];
}

}  // namespace plumb::cpu
