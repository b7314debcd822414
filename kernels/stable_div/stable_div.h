// stable_div: a quotient whose divisor stays away from zero, as layer-wise relevance propagation divides (Bach et al.
// 2015, "On pixel-wise explanations", eq. 58):
//
//   y = a / (b + ε) where b ≥ 0, a / (b − ε) where b < 0;     with ε = 0: a / b, and 0 where b = 0
//
//   a, b, y (…) floats of one shape
//
// dL/da is dL/dy divided alike; dL/db is −dL/dy · y over the same divisor.
#pragma once
#include "kernels/common/op.h"

namespace loupe {

/// Graph node: operands a, b of one shape. Throws UsageError for an ε below 0 or not finite.
OpPtr stable_div(double epsilon);

namespace host {  // ref and cpu: `count` cells in any layout
template <typename T>
void stable_div(T epsilon, const T* a, const T* b, T* y, int64_t count);
/// gb = −g · a / b², b as above.
template <typename T>
void stable_div_vjp_divisor(T epsilon, const T* g, const T* a, const T* b, T* gb, int64_t count);
}  // namespace host

namespace device {  // stable_div.cu
inline constexpr DeviceFunction<void(float epsilon, const float* a, const float* b, float* y, int64_t count)>
    stable_div{"stable_div"};
inline constexpr DeviceFunction<void(float epsilon, const float* g, const float* a, const float* b, float* gb,
                                     int64_t count)>
    stable_div_vjp_divisor{"stable_div_vjp_divisor"};
}  // namespace device

}  // namespace loupe
