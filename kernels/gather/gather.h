// gather: rows of x by their numbers, in any order and as often as one likes (as ONNX's Gather, or numpy's
// take):
//
//   y[…, k, …] = x[…, index_k, …]
//
// where the index stands in `axis`. The indices may be of any shape, which takes the axis' place: x (A, B, C)
// and indices (K, L) along axis 1 make y (A, K, L, C). Its vjp adds dL/dy to the rows that were read, in the
// order of the indices, so that it is the same to the bit in every run. `embedding` is the same kernels over
// a table of its own.
//
// An index below 0 or beyond the axis is an error on ref and cpu; on a device, which cannot say so, its row
// of y is NaN, and dL/dy of it goes nowhere.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: inputs x (floats, any rank) and indices (i32, any shape). A negative axis counts from the end.
OpPtr gather(int axis);

/// x is (outer, count, inner), there are `picks` indices, y is (outer, picks, inner).
struct GatherSizes {
  int64_t outer, count, inner, picks;
};

/// Throws UsageError, naming the op, for an index outside 0 … count − 1.
void expect_indices(std::string_view op, const int32_t* indices, const GatherSizes& s);

namespace ref {
template <typename T>
void gather(const GatherSizes& s, const T* x, const int32_t* indices, T* y);
template <typename T>
void gather_vjp(const GatherSizes& s, const T* gy, const int32_t* indices, T* gx);
}  // namespace ref

namespace cpu {
void gather(const GatherSizes& s, const float* x, const int32_t* indices, float* y);
void gather_vjp(const GatherSizes& s, const float* gy, const int32_t* indices, float* gx);
}  // namespace cpu

namespace device {  // gather.cu
inline constexpr DeviceFunction<void(const GatherSizes& s, const float* x, const int32_t* indices, float* y)>
    gather{"gather"};
inline constexpr DeviceFunction<void(const GatherSizes& s, const float* gy, const int32_t* indices,
                                     float* gx)>
    gather_vjp{"gather_vjp"};
}  // namespace device

/// For *.op.cpp: the kernels of a backend over arrays.
template <Backend backend>
void gather_on(std::string_view op, const Arguments& a, const GatherSizes& s, const Array& x,
               const Array& indices, const Array& y, bool vjp) {
  const auto* k = indices.as<int32_t>();
  if constexpr (backend == Backend::cuda) {
    return (vjp ? device::gather_vjp : device::gather)(a.queue, s, x.as<float>(), k, y.as<float>());
  } else {
    expect_indices(op, k, s);
    if constexpr (backend == Backend::cpu)
      return (vjp ? cpu::gather_vjp : cpu::gather)(s, x.as<float>(), k, y.as<float>());
    with_float_type(y.dtype, [&](auto t) {
      using T = decltype(t);
      (vjp ? ref::gather_vjp<T> : ref::gather<T>)(s, x.as<T>(), k, y.as<T>());
    });
  }
}

}  // namespace loupe
