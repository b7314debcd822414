// Copying, as ops need it on a device that only hand their input on.
#pragma once
#include <cstdint>

#include "kernels/common/device.h"

namespace loupe::device {  // copy.cu
/// y[i] = x[i] for i < count.
inline constexpr DeviceFunction<void(const float* x, float* y, int64_t count)> copy{"copy"};
}  // namespace loupe::device
