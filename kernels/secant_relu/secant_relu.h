// secant_relu: a signal times the slope of a ReLU's chord from each row of a batch to the next,
//
//   y[n] = s[n]·(relu(x[n+1]) − relu(x[n])) / (x[n+1] − x[n])     s, x, y (N, …) floats of one shape
//
// which is the part of the way from x[n] to x[n+1] on which the ReLU is open: 0 where both are at most 0, 1 where both
// are above. y of the last row, which has no next, is 0. A rule of the way back applies it; its own vjp, of the signal alone, is
// on ref, to check it by.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: operands s and x of one shape, of rank 1 or more.
OpPtr secant_relu();

namespace host {  // ref and cpu: `rows` rows of `row` numbers, in any layout
template <typename T>
void secant_relu(const T* s, const T* x, T* y, int64_t rows, int64_t row);
}  // namespace host

namespace device {  // secant_relu.cu
inline constexpr DeviceFunction<void(const float* s, const float* x, float* y, int64_t rows, int64_t row)>
    secant_relu{"secant_relu"};
}  // namespace device

}  // namespace loupe
