// quotient: a / b where b is not almost nothing, and a third number where it is,
//
//   y = a / b where |b| ≥ least, else c       a, b, c, y (…) floats of one shape
//
// as a share of a change is wanted, with the slope in its place where nothing changed (DeepLIFT). It has no
// vjp: rules of the way back apply it.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: operands a, b, c of one shape. Throws UsageError unless `least` is above 0.
OpPtr quotient(double least);

namespace host {  // ref and cpu: `count` numbers in any layout
template <typename T>
void quotient(T least, const T* a, const T* b, const T* c, T* y, int64_t count);
}  // namespace host

namespace device {  // quotient.cu
inline constexpr DeviceFunction<void(float least, const float* a, const float* b, const float* c, float* y,
                                     int64_t count)>
    quotient{"quotient"};
}  // namespace device

}  // namespace loupe
