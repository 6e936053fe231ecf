// The walk over strided operands.
#include "core/cpu/strided.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/cpu/elementwise_table.h"
#include "core/cpu/isa.h"

namespace plumb::cpu {
namespace {

const ElementwiseTable& table() {
  static const ElementwiseTable& t =
      choose<ElementwiseTable>(baseline::elementwise_table, avx2::elementwise_table, avx512::elementwise_table);
  return t;
}

template <class T>
void move(const void* from, std::int64_t from_step, void* to, std::int64_t to_step, std::int64_t n) {
  const T* x = static_cast<const T*>(from);
  T* out = static_cast<T*>(to);
  if (from_step == 1 && to_step == 1) {
    std::memcpy(out, x, static_cast<std::size_t>(n) * sizeof(T));
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) out[i * to_step] = x[i * from_step];
}

void widen(const void* from, std::int64_t from_step, void* to, std::int64_t to_step, std::int64_t n) {
  const auto* x = static_cast<const Bf16*>(from);
  auto* out = static_cast<float*>(to);
  if (from_step == 1 && to_step == 1) return table().bf16_to_f32(&x->bits, out, n);
  for (std::int64_t i = 0; i < n; ++i) out[i * to_step] = static_cast<float>(x[i * from_step]);
}

void narrow(const void* from, std::int64_t from_step, void* to, std::int64_t to_step, std::int64_t n) {
  const auto* x = static_cast<const float*>(from);
  auto* out = static_cast<Bf16*>(to);
  if (from_step == 1 && to_step == 1) return table().f32_to_bf16(x, &out->bits, n);
  for (std::int64_t i = 0; i < n; ++i) out[i * to_step] = Bf16(x[i * from_step]);
}

Operand::Move mover(std::int64_t bytes) {
  return bytes == 8   ? move<std::uint64_t>
         : bytes == 4 ? move<std::uint32_t>
         : bytes == 2 ? move<std::uint16_t>
                      : move<std::uint8_t>;
}

}  // namespace

Walk::Walk(const Raw* const* operands, const DType* compute, int count, unsigned may_splat) : count_(count) {
  const Raw& out = *operands[0];
  for (int d = 0; d < out.shape.size(); ++d) {
    total_ *= out.shape[d];
    if (out.shape[d] == 1) continue;
    shape_[dims_] = out.shape[d];
    for (int k = 0; k < count; ++k) operand_[k].step[dims_] = operands[k]->strides[d];
    ++dims_;
  }
  if (total_ == 0) return;
  for (int k = 0; k < count; ++k) {
    Operand& o = operand_[k];
    o.data = static_cast<std::byte*>(operands[k]->data);
    o.bytes = static_cast<std::int64_t>(size_of(operands[k]->dtype));
    o.converts = operands[k]->dtype != compute[k];
    PLUMB_ASSERT(!o.converts || (operands[k]->dtype == DType::bf16 && compute[k] == DType::f32));
    o.load = o.converts ? widen : mover(o.bytes);
    o.keep = o.converts ? narrow : o.load;
  }
  merge();
  classify(may_splat);
}

// Dimensions in the order of the output's memory, neighbours joined where every operand steps over both alike.
void Walk::merge() {
  const auto swap_dims = [&](int a, int b) {
    std::swap(shape_[a], shape_[b]);
    for (int k = 0; k < count_; ++k) std::swap(operand_[k].step[a], operand_[k].step[b]);
  };
  for (int i = 1; i < dims_; ++i)
    for (int j = i; j > 0 && std::abs(operand_[0].step[j - 1]) < std::abs(operand_[0].step[j]); --j)
      swap_dims(j - 1, j);
  int last = 0;
  for (int d = 1; d < dims_; ++d) {
    bool joins = true;
    for (int k = 0; k < count_; ++k) joins &= operand_[k].step[last] == operand_[k].step[d] * shape_[d];
    if (joins) shape_[last] *= shape_[d];
    else shape_[++last] = shape_[d];
    for (int k = 0; k < count_; ++k) operand_[k].step[last] = operand_[k].step[d];
  }
  if (dims_ == 0) {
    shape_[0] = 1;
    for (int k = 0; k < count_; ++k) operand_[k].step[0] = 1;
  }
  dims_ = last + 1;
}

// Which operands are used where they lie, and how long a piece is.
void Walk::classify(unsigned may_splat) {
  const int inner = dims_ - 1;
  by_row_ = dims_ == 1 || shape_[inner] >= 64;
  bool splat_taken = false, all_direct = true;
  for (int k = 0; k < count_; ++k) {
    Operand& o = operand_[k];
    std::int64_t expected = 1;
    bool still = true;
    o.linear = true;
    for (int d = inner; d >= 0; --d) {
      o.linear &= o.step[d] == expected;
      still &= o.step[d] == 0;
      expected *= shape_[d];
    }
    o.splat = !splat_taken && ((may_splat >> k) & 1u) && (by_row_ ? o.step[inner] == 0 : still);
    splat_taken |= o.splat;
    o.direct = !o.converts && !o.splat && (by_row_ ? o.step[inner] == 1 : o.linear);
    all_direct &= o.direct || o.splat;
  }
  const std::int64_t length = by_row_ ? shape_[inner] : total_;
  piece_ = std::min(all_direct ? unbuffered : buffered, length);
  row_pieces_ = (length + piece_ - 1) / piece_;
  pieces_ = by_row_ ? total_ / shape_[inner] * row_pieces_ : row_pieces_;
}

Walk::Position Walk::position(std::int64_t piece) const {
  Position at{};
  const int inner = dims_ - 1;
  std::int64_t rest = by_row_ ? piece / row_pieces_ : piece * piece_;
  for (int d = by_row_ ? inner - 1 : inner; d >= 0; --d) {
    at.index[d] = rest % shape_[d];
    rest /= shape_[d];
  }
  if (by_row_) at.index[inner] = piece % row_pieces_ * piece_;
  for (int k = 0; k < count_; ++k)
    for (int d = 0; d < dims_; ++d) at.offset[k] += at.index[d] * operand_[k].step[d];
  at.n = std::min(piece_, by_row_ ? shape_[inner] - at.index[inner] : total_ - piece * piece_);
  return at;
}

// To the next piece. By row it is the rest of the row or the start of the next one.
void Walk::advance(Position& at) const {
  const int inner = dims_ - 1;
  std::int64_t carry = at.n;
  for (int d = inner; d >= 0 && carry; --d) {
    const std::int64_t sum = at.index[d] + carry, size = shape_[d];
    const bool one_over = sum >= size && sum < 2 * size;  // spares most divisions
    carry = sum < size ? 0 : one_over ? 1 : sum / size;
    const std::int64_t next = sum - carry * size;
    for (int k = 0; k < count_; ++k) at.offset[k] += (next - at.index[d]) * operand_[k].step[d];
    at.index[d] = next;
  }
  if (by_row_) {
    at.n = std::min(piece_, shape_[inner] - at.index[inner]);
    return;
  }
  std::int64_t done = 0;
  for (int d = 0; d < dims_; ++d) done = done * shape_[d] + at.index[d];
  at.n = carry ? 0 : std::min(piece_, total_ - done);
}

// Calls row(offset, done, n, step) for each part of the piece that lies in one row.
template <class Row>
void Walk::rows_of(const Position& at, int operand, Row&& row) const {
  const Operand& o = operand_[operand];
  const int inner = dims_ - 1;
  std::int64_t index[max_dims], offset = at.offset[operand], done = 0;
  std::copy(at.index, at.index + max_dims, index);
  while (true) {
    const std::int64_t n = std::min(shape_[inner] - index[inner], at.n - done);
    row(offset, done, n, o.step[inner]);
    done += n;
    if (done >= at.n) return;
    offset -= index[inner] * o.step[inner];
    index[inner] = 0;
    for (int d = inner - 1; d >= 0; --d) {
      offset += o.step[d];
      if (++index[d] < shape_[d]) break;
      offset -= shape_[d] * o.step[d];
      index[d] = 0;
    }
  }
}

void Walk::gather(const Position& at, std::byte (*buffers)[buffered * 8], void** pointers) const {
  for (int k = 0; k < count_; ++k) {
    const Operand& o = operand_[k];
    std::byte* here = o.data + at.offset[k] * o.bytes;
    if (o.direct || (o.splat && !o.converts)) {
      pointers[k] = here;
      continue;
    }
    std::byte* buffer = buffers[k];
    pointers[k] = buffer;
    if (k == 0) continue;
    if (o.splat) {
      o.load(here, 1, buffer, 1, 1);
    } else if (o.linear) {
      o.load(here, 1, buffer, 1, at.n);
    } else {
      const std::int64_t bytes = o.converts ? 4 : o.bytes;
      rows_of(at, k, [&](std::int64_t offset, std::int64_t done, std::int64_t n, std::int64_t step) {
        o.load(o.data + offset * o.bytes, step, buffer + done * bytes, 1, n);
      });
    }
  }
}

void Walk::scatter(const Position& at, const std::byte* buffer) const {
  const Operand& o = operand_[0];
  const std::int64_t bytes = o.converts ? 4 : o.bytes;
  rows_of(at, 0, [&](std::int64_t offset, std::int64_t done, std::int64_t n, std::int64_t step) {
    o.keep(buffer + done * bytes, 1, o.data + offset * o.bytes, step, n);
  });
}

}  // namespace plumb::cpu
