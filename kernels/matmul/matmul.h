// Matrix product of two inputs, as torch.matmul for rank 2 and more.
//
//   a (…, M, K)   b (…, K, N)   y (…, M, N) = a · b
//
// With transpose_a, a is (…, K, M), and with transpose_b, b is (…, N, K).
//
// The dimensions before the last two are a batch, at most four of them, and broadcast: counted from the
// right, they are equal, or 1, or missing. The vjps are products again,
//
//   ga = gy · bᵀ    gb = aᵀ · gy    (or their transposes),
//
// summed over the dimensions of the batch in which the operand was repeated, the outermost slowest. What
// computes them, and how a linear layer of any rank uses it, is in product.h.
#pragma once
#include "kernels/common/op.h"
#include "kernels/matmul/product.h"

namespace loupe {

/// Graph node: two inputs, a and b.
struct MatMul {
  bool transpose_a = false, transpose_b = false;
};
OpPtr matmul(MatMul = {});

}  // namespace loupe
