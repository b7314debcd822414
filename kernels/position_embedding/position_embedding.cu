// Rows of positions on a GPU, a thread an element: of y forward, of the table on the way back.
//
// Floor: 4 bytes written an element of y and 4 read of a table that stays in the cache; the vjp reads dL/dy once.
#include "kernels/position_embedding/position_embedding.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL position_embedding_kernel(Cells elements, PositionSizes s, const float* table, float* y) {
  int64_t row;
  int i;
  if (!elements.find(row, i)) return;
  y[row * s.width + i] = table[(s.offset + row % s.length) * s.width + i];
}

LOUPE_KERNEL position_embedding_vjp_kernel(Cells elements, PositionSizes s, const float* gy, float* grad) {
  int64_t row;
  int i;
  if (!elements.find(row, i)) return;
  const int64_t l = row - s.offset;
  float sum = 0;
  if (l >= 0 && l < s.length)
    for (int64_t n = 0; n < s.images; ++n) sum += gy[(n * s.length + l) * s.width + i];
  grad[row * s.width + i] = sum;
}

}  // namespace

void position_embedding(Stream stream, const PositionSizes& s, const float* table, float* y) {
  const Cells elements(s.images * s.length, s.width);
  launch(elements.launch_in(stream), position_embedding_kernel, elements, s, table, y);
}

void position_embedding_vjp(Stream stream, const PositionSizes& s, const float* gy, float* grad) {
  const Cells elements(s.count, s.width);
  launch(elements.launch_in(stream), position_embedding_vjp_kernel, elements, s, gy, grad);
}

LOUPE_EXPORT(position_embedding);
LOUPE_EXPORT(position_embedding_vjp);

}  // namespace loupe::LOUPE_TARGET
