// transpose: the dimensions in another order,
//
//   y[i₀, i₁, …] = x[j₀, j₁, …]   with j of dimension permutation[d] = i_d
//
// so that y has size x.size(permutation[d]) in dimension d, as PyTorch's permute. Its vjp is the inverse
// permutation of dL/dy. Both are a strided copy (kernels/common/strided_copy.h).
#pragma once
#include <vector>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: one input whose rank is the permutation's length; elements of any type. Throws UsageError if
/// that is no permutation of 0 … length − 1.
OpPtr transpose(std::vector<int> permutation);

}  // namespace loupe
