// embedding: a row of a table for each token,
//
//   y[n, l, :] = weight[token_nl, :]
//
// Its vjp with respect to the table adds dL/dy to the rows that were read, in the order of the tokens; all
// other rows are zero. Kernels, and what happens to a token that the table does not have:
// kernels/gather/gather.h.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

struct Embedding {
  int64_t count = 0, width = 0;  // rows of the table; numbers of a row
};

/// Graph node: tokens (i32, any shape, usually (N, L)) and the parameter weight (count, width). Output (…,
/// width). Throws UsageError for a table without rows or numbers.
OpPtr embedding(Embedding attributes);

}  // namespace loupe
