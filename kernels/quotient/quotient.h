// quotient: a / b where b is not almost nothing, and a third number where it is,
//
//   y = a / b where |b| ≥ least, else c       a, b, c, y (…) floats of one shape
//
// as a share of a change is wanted, with the slope in its place where nothing changed (DeepLIFT).
//
// With g = dL/dy the vjps are g / b, −g·a/b² and 0 where |b| ≥ least, and 0, 0 and g where not.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: operands a, b, c of one shape. Throws UsageError unless `least` is above 0.
OpPtr quotient(double least);

namespace host {  // ref and cpu: `count` numbers in any layout
template <typename T>
void quotient(T least, const T* a, const T* b, const T* c, T* y, int64_t count);
/// To operand `operand`; `a` is read by that of b alone.
template <typename T>
void quotient_vjp(int operand, T least, const T* g, const T* a, const T* b, T* to, int64_t count);
}  // namespace host

namespace device {  // quotient.cu
inline constexpr DeviceFunction<void(float least, const float* a, const float* b, const float* c, float* y,
                                     int64_t count)>
    quotient{"quotient"};
inline constexpr DeviceFunction<void(int operand, float least, const float* g, const float* a, const float* b,
                                     float* to, int64_t count)>
    quotient_vjp{"quotient_vjp"};
}  // namespace device

}  // namespace loupe
