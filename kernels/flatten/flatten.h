// flatten: (N, …) → (N, F), an image's elements as one row; of maps (N, C, H, W) feature c·H·W + h·W + w. The
// bytes stay where they are in the planar layout, and in the blocked one where H = W = 1; otherwise it is a
// permuting copy.
#pragma once
#include "kernels/common/op.h"

namespace loupe {

/// Graph node: one input of rank 1 or more; (N, F) stays what it is.
OpPtr flatten();

}  // namespace loupe
