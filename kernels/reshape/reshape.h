// reshape: the same elements in the same order, under other dimensions. A planar array stays where it is; the
// kernel, a copy, is there for what has to lie elsewhere.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: one input, elements of any type. In `dims` one −1 stands for what remains, and 0 for the
/// input's size in that dimension, counted from the end after the −1: {0, 12, −1} serves every batch, {0, 2,
/// −1, 0, 0} maps of every size. Throws UsageError for other negative sizes, for two −1, and (as shape())
/// where the sizes do not fit the input's number of elements.
OpPtr reshape(std::vector<int64_t> dims);

}  // namespace loupe
