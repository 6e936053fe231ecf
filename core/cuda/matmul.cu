// Products by cuBLAS, f32 and f64 in their own precision (no TF32), bf16 with f32 sums.
//
// cuBLAS is column-major. A row-major matrix is its transpose to it, and C = A B is C^T = B^T A^T: so we hand over B
// first, then A, with M and N exchanged, and nothing moves. What cuBLAS calls transposed is then an operand whose
// *columns* are contiguous for us.
#include "core/cuda/backend.h"

namespace plumb::cuda {
namespace {

void blas(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS) throw Bug(fmt::format("cuBLAS: {}", cublasGetStatusString(status)));
}

cudaDataType_t type_of(DType t) { return t == DType::f64 ? CUDA_R_64F : t == DType::f32 ? CUDA_R_32F : CUDA_R_16BF; }

// How cuBLAS can read a [rows, columns] window; `leading` 0 when it cannot.
struct Form {
  cublasOperation_t op = CUBLAS_OP_N;
  i64 leading = 0;
};
Form form_of(i64 rows, i64 columns, i64 row_stride, i64 column_stride) {
  if (columns == 1 || column_stride == 1) {
    if (rows == 1) return {CUBLAS_OP_N, columns};
    if (row_stride >= columns) return {CUBLAS_OP_N, row_stride};
  }
  if (rows == 1 || row_stride == 1) {
    if (columns == 1) return {CUBLAS_OP_T, rows};
    if (column_stride >= rows) return {CUBLAS_OP_T, column_stride};
  }
  return {};
}
Form form_of(const Raw& x) {
  const int n = x.shape.size();
  return form_of(x.shape[n - 2], x.shape[n - 1], x.strides[n - 2], x.strides[n - 1]);
}

void* at(const Raw& x, i64 elements) { return static_cast<char*>(x.data) + elements * i64(size_of(x.dtype)); }

Raw transposed(const Raw& x) {
  Raw t = x;
  const int n = x.shape.size();
  std::swap(t.shape[n - 2], t.shape[n - 1]);
  std::swap(t.strides[n - 2], t.strides[n - 1]);
  return t;
}

// One call of cuBLAS: `count` products whose operands are `step` elements apart.
struct Call {
  Raw a, b, c;
  i64 count, step_a, step_b, step_c;
  i64 k_begin, k_end;
  double alpha, beta;
};

void call_cublas(cublasHandle_t handle, const Call& p) {
  const int last = p.c.shape.size() - 1;
  const i64 m = p.c.shape[last - 1], n = p.c.shape[last], k = p.k_end - p.k_begin;
  const Form a = form_of(p.a), b = form_of(p.b), c = form_of(p.c);
  const void* pa = at(p.a, p.k_begin * p.a.strides[last]);
  const void* pb = at(p.b, p.k_begin * p.b.strides[last - 1]);
  const bool is_double = p.c.dtype == DType::f64;
  // Sums of bf16 products stay in f32 (the tensor cores do); f32 products are pedantic: no TF32, no splitting tricks.
  const auto compute = is_double                 ? CUBLAS_COMPUTE_64F_PEDANTIC
                       : p.a.dtype == DType::f32 ? CUBLAS_COMPUTE_32F_PEDANTIC
                                                 : CUBLAS_COMPUTE_32F;
  const float alpha32 = static_cast<float>(p.alpha), beta32 = static_cast<float>(p.beta);
  const void* alpha = is_double ? static_cast<const void*>(&p.alpha) : &alpha32;
  const void* beta = is_double ? static_cast<const void*>(&p.beta) : &beta32;
  blas(cublasGemmStridedBatchedEx_64(handle, b.op, a.op, n, m, k, alpha, pb, type_of(p.b.dtype), b.leading, p.step_b,
                                     pa, type_of(p.a.dtype), a.leading, p.step_a, beta, p.c.data, type_of(p.c.dtype),
                                     c.leading, p.step_c, p.count, compute, CUBLAS_GEMM_DEFAULT));
}

// All products of a batch; the innermost (merged) batch dimension is one call, the others are loops. Slices of K are
// added one after the other: a left fold example by example.
void multiply(cublasHandle_t handle, Call p, bool accumulate, i64 k_example) {
  const int last = p.c.shape.size() - 1;
  const i64 k = p.a.shape[last];
  Shape batch = p.c.shape;
  batch[last] = batch[last - 1] = 1;
  const auto l = layout_of<3>(batch, {&p.a.strides, &p.b.strides, &p.c.strides});
  const int inner = l.dims - 1;
  p.count = l.dims > 0 ? l.size[inner] : 1;
  p.step_a = l.dims > 0 ? l.stride[0][inner] : 0;
  p.step_b = l.dims > 0 ? l.stride[1][inner] : 0;
  p.step_c = l.dims > 0 ? l.stride[2][inner] : 0;
  const Raw a = p.a, b = p.b, c = p.c;
  for (i64 i = 0; i < l.count; i += p.count) {
    i64 offset[3] = {}, rest = i / p.count;
    for (int d = inner - 1; d >= 0; --d) {
      for (int x = 0; x < 3; ++x) offset[x] += rest % l.size[d] * l.stride[x][d];
      rest /= l.size[d];
    }
    p.a.data = at(a, offset[0]);
    p.b.data = at(b, offset[1]);
    p.c.data = at(c, offset[2]);
    const i64 step = k_example > 0 ? k_example : k;
    for (p.k_begin = 0; p.k_begin < k; p.k_begin += step) {
      p.k_end = p.k_begin + step < k ? p.k_begin + step : k;
      p.beta = accumulate || p.k_begin > 0 ? 1 : 0;
      call_cublas(handle, p);
    }
  }
}

}  // namespace

// Windows that cuBLAS cannot read are copied first; so is C when neither its rows nor its columns are contiguous.
void CudaBackend::product(const Product& p) {
  Raw a = p.matmul.a, b = p.matmul.b, c = p.matmul.c;
  PLUMB_ASSERT(a.dtype == b.dtype);
  const bool accumulate = p.matmul.accumulate;
  if (numel(c.shape) == 0) return;
  if (a.shape.back() == 0) {
    if (!accumulate) fill(c, 0);
    return;
  }
  if (const Form f = form_of(c); f.leading != 0 && f.op == CUBLAS_OP_T) {  // C's columns are contiguous: C^T = B^T A^T
    const Raw swap = a;
    a = transposed(b);
    b = transposed(swap);
    c = transposed(c);
  }
  Scratch copies[3];
  const auto readable = [&](Raw x, Scratch& memory, bool filled) {
    if (form_of(x).leading != 0) return x;
    memory = scratch(numel(x.shape) * i64(size_of(x.dtype)), "matmul");
    const Raw y = contiguous(memory.as(), x.dtype, x.shape);
    if (filled) copy(x, y);
    return y;
  };
  const Raw target = readable(c, copies[2], accumulate);
  use();
  const Raw x = readable(a, copies[0], true), y = readable(b, copies[1], true);
  multiply(blas_, {x, y, target, 1, 0, 0, 0, 0, 0, p.alpha, 0}, accumulate, p.matmul.k_example);
  if (target.data != c.data) copy(target, c);
}

}  // namespace plumb::cuda
