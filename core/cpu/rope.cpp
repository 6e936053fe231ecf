// Rotary position embedding. Angles are computed in double, once for each base and width, with the same bits everywhere.
#include <sleef.h>

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/cpu/backend.h"
#include "core/cpu/isa.h"
#include "core/cpu/rope_table.h"
#include "core/cpu/rows.h"
#include "core/parallel.h"

namespace plumb::cpu {
namespace {

const RopeTable& table() {
  static const RopeTable& t = choose<RopeTable>(baseline::rope_table, avx2::rope_table, avx512::rope_table);
  return t;
}

// cos and sin of every position and pair, [positions, half].
template <class T>
struct Angles {
  std::int64_t positions = 0, half = 0;
  std::vector<T> cosine, sine;
};

template <class T>
std::shared_ptr<const Angles<T>> make_angles(double base, std::int64_t half, std::int64_t positions) {
  auto a = std::make_shared<Angles<T>>();
  a->positions = positions;
  a->half = half;
  a->cosine.resize(static_cast<std::size_t>(positions * half));
  a->sine.resize(a->cosine.size());
  const double log_base = Sleef_cinz_logd1_u10purec(base);
  for (std::int64_t i = 0; i < half; ++i) {
    const double speed = Sleef_cinz_expd1_u10purec(-(static_cast<double>(i) / static_cast<double>(half)) * log_base);
    for (std::int64_t p = 0; p < positions; ++p) {
      const auto turned = Sleef_cinz_sincosd1_u10purec(static_cast<double>(p) * speed);
      a->cosine[static_cast<std::size_t>(p * half + i)] = static_cast<T>(turned.y);
      a->sine[static_cast<std::size_t>(p * half + i)] = static_cast<T>(turned.x);
    }
  }
  return a;
}

// The cached table, made longer (by doubling) where it is too short.
template <class T>
std::shared_ptr<const Angles<T>> angles(double base, std::int64_t half, std::int64_t positions) {
  static std::mutex guard;
  static std::map<std::pair<double, std::int64_t>, std::shared_ptr<const Angles<T>>> cache;
  const std::lock_guard lock(guard);
  auto& entry = cache[{base, half}];
  if (!entry || entry->positions < positions)
    entry = make_angles<T>(base, half, std::max({positions, std::int64_t{128}, entry ? 2 * entry->positions : 0}));
  return entry;
}

template <class T>
void rope_of(const kernels::Rope& r) {
  const std::int64_t batch = r.x.shape[0], length = r.x.shape[1], heads = r.x.shape[2], d = r.x.shape[3];
  std::int64_t latest = 0;
  for (std::int64_t b = 0; r.start && b < batch; ++b) latest = std::max(latest, r.start[b]);
  const std::int64_t half = r.rotary / 2;
  const auto turns = angles<T>(r.base, half, latest + length);
  parallel_for(batch * length, grain_for(heads * d), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / length, t = i % length, at = ((r.start ? r.start[b] : 0) + t) * half;
      table().heads(T{})({.x = static_cast<const T*>(r.x.data) + b * r.x.strides[0] + t * r.x.strides[1],
                          .out = static_cast<T*>(r.out.data) + b * r.out.strides[0] + t * r.out.strides[1],
                          .heads = heads,
                          .x_stride = r.x.strides[2],
                          .out_stride = r.out.strides[2],
                          .half = half,
                          .d = d,
                          .cosine = turns->cosine.data() + at,
                          .sine = turns->sine.data() + at,
                          .inverse = r.inverse});
    }
  });
}

}  // namespace

void CpuBackend::rope(const kernels::Rope& r) {
  for (const auto n : r.x.shape)
    if (n == 0) return;
  visit_float("rope", r.x.dtype, [&](auto zero) { rope_of<decltype(zero)>(r); });
}

}  // namespace plumb::cpu
