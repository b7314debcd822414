// The rungs of max pooling's ladder; see README.md. Each takes what device::max_pool2d and
// device::max_unpool2d take.
#pragma once
#include <cstdint>

#include "kernels/common/device.h"
#include "kernels/common/pooling.h"

namespace loupe::device {

using MaxPool2dRung = DeviceFunction<void(const Pooling& pooling, Pair map, Pair pooled, const float* x,
                                          float* y, uint8_t* switches, int64_t planes)>;
using MaxUnpool2dRung = DeviceFunction<void(const Pooling& pooling, Pair map, Pair pooled, const float* x,
                                            const uint8_t* switches, float* y, int64_t planes)>;
inline constexpr MaxPool2dRung max_pool2d_rung1{"max_pool2d_rung1"}, max_pool2d_rung2{"max_pool2d_rung2"},
    max_pool2d_rung3{"max_pool2d_rung3"}, max_pool2d_rung4{"max_pool2d_rung4"};
inline constexpr MaxUnpool2dRung max_unpool2d_rung1{"max_unpool2d_rung1"},
    max_unpool2d_rung2{"max_unpool2d_rung2"}, max_unpool2d_rung3{"max_unpool2d_rung3"},
    max_unpool2d_rung4{"max_unpool2d_rung4"};

}  // namespace loupe::device
