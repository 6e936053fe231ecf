// The row work of attention on a block of logits: weights, log-sum-exp, statistics and the gradient of the logits.
#pragma once

#include <cstdint>

namespace plumb::cpu {

// Rows of raw products q.k, [rows, width] with a stride of whole cache lines. Row i sees its first
// min(width, visible + i * step) entries; the others leave as zeros.
template <class T>
struct AttentionRows {
  T* z = nullptr;
  std::int64_t rows = 0, stride = 0, width = 0, visible = 0, step = 1;
  T scale = 1, softcap = 0;
  bool squared_relu = false;
  T relu_scale = 1;                            // 1 / sqrt(relu_length)
  T* log_sum_exp = nullptr;                    // [rows]: written forward, read backward; unused with squared_relu
  T* over_sum = nullptr;                       // [rows]: what rows of z V are to be multiplied by
  T *max_logit = nullptr, *entropy = nullptr;  // [rows] or null
};
// z becomes the weights and dp the gradient of the raw products; D is rowsum(dout * out).
template <class T>
struct AttentionGradRows {
  AttentionRows<T> forward;
  T* dp = nullptr;       // same layout as z: dout . v
  const T* d = nullptr;  // [rows]
};

struct AttentionTable {
  void (*weights_f32)(const AttentionRows<float>&);
  void (*weights_f64)(const AttentionRows<double>&);
  void (*grad_f32)(const AttentionGradRows<float>&);
  void (*grad_f64)(const AttentionGradRows<double>&);
  float (*dot_f32)(const float* a, const float* b, std::int64_t n);
  double (*dot_f64)(const double* a, const double* b, std::int64_t n);
  bool (*scale_f32)(float* row, std::int64_t n, float by);  // false when a result is not finite
  bool (*scale_f64)(double* row, std::int64_t n, double by);

  auto weights(float) const { return weights_f32; }
  auto weights(double) const { return weights_f64; }
  auto grad(float) const { return grad_f32; }
  auto grad(double) const { return grad_f64; }
  auto dot(float) const { return dot_f32; }
  auto dot(double) const { return dot_f64; }
  auto scale(float) const { return scale_f32; }
  auto scale(double) const { return scale_f64; }
};
namespace baseline {
const AttentionTable& attention_table();
}
namespace avx2 {
const AttentionTable& attention_table();
}
namespace avx512 {
const AttentionTable& attention_table();
}

}  // namespace plumb::cpu
