// position_embedding: for each token the row of a table that belongs to its position,
//
//   y[n, l, :] = weight[offset + l, :]
//
// Of the tokens only the shape is read. The vjp with respect to the table adds dL/dy over the images, in their order,
// to the rows that were read; all other rows are zero.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

struct PositionEmbedding {
  int64_t count = 0, width = 0;  // rows of the table; numbers of a row
  int64_t offset = 0;            // the first token's row
};

/// Graph node: tokens (N, L) i32 and the parameter weight (count, width). Output (N, L, width). Throws UsageError for a
/// table without rows or numbers, and for more tokens than it has rows.
OpPtr position_embedding(PositionEmbedding attributes);

struct PositionSizes {
  int64_t images, length, count, width, offset;
};

namespace host {  // ref and cpu
template <typename T>
void position_embedding(const PositionSizes& s, const T* table, T* y);
template <typename T>
void position_embedding_vjp(const PositionSizes& s, const T* gy, T* grad);
}  // namespace host

namespace device {  // position_embedding.cu
inline constexpr DeviceFunction<void(const PositionSizes& s, const float* table, float* y)>
    position_embedding{"position_embedding"};
inline constexpr DeviceFunction<void(const PositionSizes& s, const float* gy, float* grad)>
    position_embedding_vjp{"position_embedding_vjp"};
}  // namespace device

}  // namespace loupe
