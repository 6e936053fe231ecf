// Elementwise operators. One kernel for each dtype chooses the operator inside: the branch is the same for all threads,
// memory sets the speed, and a build stays short.
#include "core/cuda/backend.h"
#include "core/cuda/functions.h"

namespace plumb::cuda {
namespace {

using kernels::Binary;
using kernels::Unary;

// Operators that are exact for every type; integers wrap.
template <class T>
__device__ T unary_exact(Unary op, T x) {
  switch (op) {
    case Unary::abs: return x <= 0 ? static_cast<T>(0 - x) : x;
    case Unary::sign: return x > 0 ? T{1} : x == 0 || x != x ? x : static_cast<T>(-1);
    case Unary::square: return static_cast<T>(x * x);
    case Unary::relu: return relu(x);
    default: return static_cast<T>(-x);
  }
}

template <class T>
__device__ T unary_of(Unary op, T x) {
  switch (op) {
    case Unary::exp: return std::exp(x);
    case Unary::expm1: return std::expm1(x);
    case Unary::log: return std::log(x);
    case Unary::log1p: return std::log1p(x);
    case Unary::sqrt: return std::sqrt(x);
    case Unary::rsqrt: return 1 / std::sqrt(x);
    case Unary::reciprocal: return 1 / x;
    case Unary::sin: return std::sin(x);
    case Unary::cos: return std::cos(x);
    case Unary::tanh: return std::tanh(x);
    case Unary::sigmoid: return sigmoid(x);
    case Unary::log_sigmoid: return log_sigmoid(x);
    case Unary::softplus: return softplus(x);
    case Unary::silu: return silu(x);
    case Unary::gelu: return gelu(x);
    case Unary::gelu_tanh: return gelu_tanh(x);
    case Unary::erf: return std::erf(x);
    case Unary::floor: return std::floor(x);
    case Unary::round: return std::rint(x);
    case Unary::log1m_exp: return log1m_exp(x);
    case Unary::abs: return std::fabs(x);
    default: return unary_exact(op, x);
  }
}

template <class T>
__device__ T binary_exact(Binary op, T a, T b) {
  switch (op) {
    case Binary::sub: return static_cast<T>(a - b);
    case Binary::mul: return static_cast<T>(a * b);
    case Binary::maximum: return Larger{}(a, b);
    case Binary::minimum: return Smaller{}(a, b);
    default: return static_cast<T>(a + b);
  }
}

template <class T>
__device__ T binary_of(Binary op, T a, T b) {
  switch (op) {
    case Binary::div: return a / b;
    case Binary::pow: return std::pow(a, b);
    case Binary::atan2: return std::atan2(a, b);
    case Binary::log_add_exp: return log_add_exp(a, b);
    case Binary::gelu_grad: return gelu_slope(a) * b;
    case Binary::gelu_tanh_grad: return gelu_tanh_slope(a) * b;
    case Binary::silu_grad: return silu_slope(a) * b;
    case Binary::tanh_grad: return (1 - a) * (1 + a) * b;
    case Binary::sigmoid_grad: return a * (1 - a) * b;
    default: return binary_exact(op, a, b);
  }
}

template <class T>
__device__ bool holds(Binary op, T a, T b) {
  switch (op) {
    case Binary::equal: return a == b;
    case Binary::less: return a < b;
    case Binary::less_equal: return a <= b;
    case Binary::logical_and: return (a != 0) & (b != 0);
    default: return (a != 0) | (b != 0);
  }
}
bool is_predicate(Binary op) { return op >= Binary::equal && op <= Binary::logical_or; }
bool is_exact(Binary op) {
  return op <= Binary::mul || op == Binary::maximum || op == Binary::minimum || is_predicate(op);
}
bool is_exact(Unary op) {
  return op <= Unary::sign || op == Unary::square || op == Unary::relu || op == Unary::logical_not;
}

template <class T>
__global__ void unary_kernel(Unary op, Layout<2> l, const T* x, T* out) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) {
    const auto o = offsets_of(l, i);
    const auto v = widen(x[o.at[0]]);
    if constexpr (std::is_integral_v<T>) out[o.at[1]] = unary_exact(op, v);
    else out[o.at[1]] = narrow<T>(unary_of(op, v));
  }
}

template <class T>
__global__ void unary_predicate_kernel(Unary op, Layout<2> l, const T* x, std::uint8_t* out) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) {
    const auto o = offsets_of(l, i);
    const auto v = widen(x[o.at[0]]);
    out[o.at[1]] = op == Unary::logical_not ? v == 0 : v - v == 0;
  }
}

// A null operand stands for the scalar.
template <class T>
struct Operands {
  const T *a, *b;
  Compute<T> scalar;
  __device__ Compute<T> first(i64 i) const { return a ? widen(a[i]) : scalar; }
  __device__ Compute<T> second(i64 i) const { return b ? widen(b[i]) : scalar; }
};

template <class T>
__global__ void binary_kernel(Binary op, Layout<3> l, Operands<T> in, T* out) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) {
    const auto o = offsets_of(l, i);
    const auto a = in.first(o.at[0]), b = in.second(o.at[1]);
    if constexpr (std::is_integral_v<T>) out[o.at[2]] = binary_exact(op, a, b);
    else out[o.at[2]] = narrow<T>(binary_of(op, a, b));
  }
}

template <class T>
__global__ void predicate_kernel(Binary op, Layout<3> l, Operands<T> in, std::uint8_t* out) {
  for (i64 i = first_item(); i < l.count; i += all_threads()) {
    const auto o = offsets_of(l, i);
    out[o.at[2]] = holds(op, in.first(o.at[0]), in.second(o.at[1]));
  }
}

template <class T>
void run_binary(cudaStream_t stream, Binary op, const Layout<3>& l, const Operands<T>& in, const Raw& out) {
  if (std::is_integral_v<T> && !is_exact(op))
    fail("binary", "operator {} is not defined for {}", int(op), name_of(dtype_of<T>));
  if (is_predicate(op))
    launch_over(stream, l.count, predicate_kernel<T>, op, l, in, static_cast<std::uint8_t*>(out.data));
  else launch_over(stream, l.count, binary_kernel<T>, op, l, in, static_cast<T*>(out.data));
}

}  // namespace

void CudaBackend::unary(Unary op, const Raw& x, const Raw& out) {
  const auto l = layout_of<2>(out.shape, {&x.strides, &out.strides});
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* from = static_cast<const T*>(x.data);
    if (op == Unary::is_finite || op == Unary::logical_not) {
      launch_over(stream(), l.count, unary_predicate_kernel<T>, op, l, from, static_cast<std::uint8_t*>(out.data));
      return;
    }
    if (std::is_integral_v<T> && !is_exact(op))
      fail("unary", "operator {} is not defined for {}", int(op), name_of(x.dtype));
    launch_over(stream(), l.count, unary_kernel<T>, op, l, from, static_cast<T*>(out.data));
  });
}

void CudaBackend::binary(Binary op, const Raw& a, const Raw& b, const Raw& out) {
  const auto l = layout_of<3>(out.shape, {&a.strides, &b.strides, &out.strides});
  visit_dtype(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    run_binary<T>(stream(), op, l, {static_cast<const T*>(a.data), static_cast<const T*>(b.data), {}}, out);
  });
}

void CudaBackend::scalar(Binary op, const Raw& x, double s, bool scalar_first, const Raw& out) {
  const auto l = layout_of<3>(out.shape, {&x.strides, &x.strides, &out.strides});
  visit_dtype(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* p = static_cast<const T*>(x.data);
    run_binary<T>(stream(), op, l, {scalar_first ? nullptr : p, scalar_first ? p : nullptr, static_cast<Compute<T>>(s)},
                  out);
  });
}

}  // namespace plumb::cuda
