// add: y = a + b, two inputs of one shape (the residual connection). Its vjp to either input is dL/dy itself.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: two inputs of the same shape.
OpPtr add();

namespace ref {
/// y[i] = a[i] + b[i]; y may be a.
template <typename T>
void add(const T* a, const T* b, T* y, int64_t count);
}  // namespace ref

namespace cpu {
/// a, b, y: `cells` groups of 16 floats (the blocked layout), y may be a; then `activation`, whose mask is
/// one uint16 a cell, or null.
void add(const float* a, const float* b, float* y, int64_t cells);
}  // namespace cpu

namespace device {  // add.cu
inline constexpr DeviceFunction<void(const float* a, const float* b, float* y, int64_t count)> add{"add"};
}  // namespace device

}  // namespace loupe
