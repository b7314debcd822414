// The rungs of softmax' ladder; see README.md. Each takes what device::softmax takes. A row is what one sum
// runs over: c elements, `pixels` apart.
#pragma once
#include <cstdint>

#include "kernels/common/device.h"

namespace loupe::device {

using SoftmaxRung =
    DeviceFunction<void(bool log, const float* x, float* y, int64_t n, int64_t c, int64_t pixels)>;
inline constexpr SoftmaxRung softmax_rung1{"softmax_rung1"}, softmax_rung2{"softmax_rung2"},
    softmax_rung3{"softmax_rung3"}, softmax_rung4{"softmax_rung4"};

}  // namespace loupe::device
