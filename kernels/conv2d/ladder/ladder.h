// The ladder of conv2d: five forward kernels, each with one idea more than the one before. README.md tells
// the story.
#pragma once
#include "kernels/common/ladder.h"
#include "kernels/conv2d/conv2d.h"

namespace loupe {

namespace device {

/// x (N, C, H, W), weight (K, C/G, kernel.h, kernel.w), bias (K) or null, y (N, K, OH, OW), all planar.
using Conv2dRung =
    DeviceFunction<void(ConvSizes, const float* x, const float* weight, const float* bias, float* y)>;

inline constexpr Conv2dRung conv2d_rung1{"conv2d_rung1"};  // 1_naive.cu
inline constexpr Conv2dRung conv2d_rung2{"conv2d_rung2"};  // 2_coalesced.cu
inline constexpr Conv2dRung conv2d_rung3{"conv2d_rung3"};  // 3_shared_tiles.cu
inline constexpr Conv2dRung conv2d_rung4{"conv2d_rung4"};  // 4_register_blocks.cu
inline constexpr Conv2dRung conv2d_rung5{"conv2d_rung5"};  // 5_vector_loads.cu

}  // namespace device

}  // namespace loupe
