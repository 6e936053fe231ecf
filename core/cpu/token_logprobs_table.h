// The row work of token log-probabilities on blocks of logits.
#pragma once

#include <cstdint>

namespace plumb::cpu {

// Raw products x.w of rows against words first .. first + n of the vocabulary; rows with a negative label are skipped.
// The running log Z of a row is top + log(total), from -infinity and 0 on.
template <class T>
struct LogitRows {
  T* z = nullptr;
  std::int64_t rows = 0, stride = 0, first = 0, n = 0;
  T scale = 1, softcap = 0;
  const T* bias = nullptr;                                     // of word 0, or null
  const std::int64_t* labels = nullptr;                        // [rows]
  T *top = nullptr, *total = nullptr, *label_logit = nullptr;  // [rows]
};
// z becomes factor * the gradient of the logits before softcap, from log Z; zero in rows with a negative label.
template <class T>
struct LogitGradRows {
  LogitRows<T> forward;
  T factor = 1;
  const T *log_z = nullptr, *g_logp = nullptr, *g_log_z = nullptr;  // [rows]; the last two may be null
};

struct TokenTable {
  void (*add_f32)(const LogitRows<float>&);
  void (*add_f64)(const LogitRows<double>&);
  void (*finish_f32)(const LogitRows<float>&, float* logp, float* log_z);
  void (*finish_f64)(const LogitRows<double>&, double* logp, double* log_z);
  void (*grad_f32)(const LogitGradRows<float>&);
  void (*grad_f64)(const LogitGradRows<double>&);

  auto add(float) const { return add_f32; }
  auto add(double) const { return add_f64; }
  auto finish(float) const { return finish_f32; }
  auto finish(double) const { return finish_f64; }
  auto grad(float) const { return grad_f32; }
  auto grad(double) const { return grad_f64; }
};
namespace baseline {
const TokenTable& token_table();
}
namespace avx2 {
const TokenTable& token_table();
}
namespace avx512 {
const TokenTable& token_table();
}

}  // namespace plumb::cpu
