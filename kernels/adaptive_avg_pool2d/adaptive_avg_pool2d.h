// Adaptive average pooling: an output of a given size, whatever the map's. Output row i is the mean of the
// map's rows ⌊i·H/H'⌋ … ⌈(i+1)·H/H'⌉ − 1, columns likewise (PyTorch's AdaptiveAvgPool2d), so windows may
// overlap, and an output larger than the map repeats cells. To 1×1 it is global average pooling. The kernels
// are avg_pool2d's.
#pragma once
#include "kernels/common/op.h"

namespace loupe {

/// Graph node: (N, C, H, W) → (N, C, output.h, output.w). UsageError from shape() for an output size below 1.
OpPtr adaptive_avg_pool2d(Pair output);
/// Graph node: (N, C, H, W) → (N, C, 1, 1), the mean of each map.
OpPtr global_avg_pool2d();

}  // namespace loupe
