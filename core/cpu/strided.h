// Elementwise work on strided operands, cut into contiguous pieces for serial loops: dimensions that can be walked as
// one are merged; operands whose elements are neighbours are used in place, others pass through a small buffer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/backend.h"
#include "core/parallel.h"

namespace plumb::cpu {

// An operand as the walk sees it: its memory, and how elements move between memory and the type that loops compute in.
struct Operand {
  using Move = void (*)(const void* from, std::int64_t from_step, void* to, std::int64_t to_step, std::int64_t n);
  std::byte* data = nullptr;
  std::int64_t bytes = 0;               // of an element in memory
  std::int64_t step[max_dims] = {};     // in elements, by walked dimension
  Move load = nullptr, keep = nullptr;  // memory -> buffer, buffer -> memory
  bool converts = false, splat = false, direct = false, linear = false;
};

// One output (operand 0) and up to three inputs of its shape.
class Walk {
 public:
  static constexpr int most = 4;
  static constexpr std::int64_t buffered = 512, unbuffered = 4096;  // elements of a piece

  // `compute[i]` is the dtype that the loop sees. At most one input of `may_splat` (a bit for each operand) is given to
  // the loop as a single element.
  Walk(const Raw* const* operands, const DType* compute, int count, unsigned may_splat);
  bool splat(int i) const { return operand_[i].splat; }

  // Calls loop(void* const pointers[count], n); `cost` is the work of an element, in additions.
  template <class Loop>
  void run(std::int64_t cost, Loop&& loop) const {
    parallel_for(pieces_, (grain_for(cost) + piece_ - 1) / piece_, [&](std::int64_t begin, std::int64_t end) {
      alignas(64) std::byte buffers[most][buffered * 8];
      void* pointers[most];
      for (Position at = position(begin); begin < end; ++begin, advance(at)) {
        gather(at, buffers, pointers);
        loop(pointers, at.n);
        if (!operand_[0].direct) scatter(at, buffers[0]);
      }
    });
  }

 private:
  // A piece: its coordinates, its first element in each operand, its length.
  struct Position {
    std::int64_t index[max_dims], offset[most], n;
  };
  void merge();
  void classify(unsigned may_splat);
  Position position(std::int64_t piece) const;
  void advance(Position& at) const;
  void gather(const Position& at, std::byte (*buffers)[buffered * 8], void** pointers) const;
  void scatter(const Position& at, const std::byte* buffer) const;
  template <class Row>
  void rows_of(const Position& at, int operand, Row&& row) const;

  Operand operand_[most];
  int count_, dims_ = 0;
  std::int64_t shape_[max_dims] = {}, total_ = 1;
  bool by_row_ = true;  // pieces lie inside one row (innermost dimension), else they run over rows
  std::int64_t piece_ = unbuffered, pieces_ = 0, row_pieces_ = 1;
};

}  // namespace plumb::cpu
