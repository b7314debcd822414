// Maps at another size on a GPU: a thread a cell. In the vjp it finds the rows and columns of the output that
// its own cell is in (they lie together) and adds them up in their order.
//
// Floor: 4 bytes read and 4 written an element.
#include "kernels/upsample/upsample.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL upsample_kernel(Cells cells, Divider by_width, UpsampleAxes a, const float* x, float* y) {
  int64_t plane;
  int cell;
  if (!cells.find(plane, cell)) return;
  const int h = by_width.quotient(cell), w = cell - h * static_cast<int>(a.columns.out);
  const UpsampleAxis::Source r = a.rows.source(h), c = a.columns.source(w);
  const float* low = x + (plane * a.rows.in + r.low) * a.columns.in;
  const float* high = x + (plane * a.rows.in + r.high) * a.columns.in;
  float* to = y + plane * a.rows.out * a.columns.out + cell;
  if (a.rows.nearest) {
    *to = low[c.low];
    return;
  }
  const float right = static_cast<float>(c.weight), left = static_cast<float>(1 - c.weight);
  const float top = fused(low[c.high], right, low[c.low] * left);
  const float bottom = fused(high[c.high], right, high[c.low] * left);
  *to = fused(bottom, static_cast<float>(r.weight), top * static_cast<float>(1 - r.weight));
}

// How much of row `row` of x is in what `s` tells.
LOUPE_DEVICE float share(const UpsampleAxis::Source& s, int64_t row) {
  return static_cast<float>((s.low == row ? 1 - s.weight : 0) + (s.high == row ? s.weight : 0));
}

LOUPE_KERNEL upsample_vjp_kernel(Cells cells, Divider by_width, UpsampleAxes a, const float* gy, float* gx) {
  int64_t plane;
  int cell;
  if (!cells.find(plane, cell)) return;
  const int row = by_width.quotient(cell), column = cell - row * static_cast<int>(a.columns.in);
  gy += plane * a.rows.out * a.columns.out;
  const int64_t top = a.rows.first_from(row), left = a.columns.first_from(column);
  float sum = 0;
  for (int64_t h = top; h < a.rows.out; ++h) {
    const UpsampleAxis::Source r = a.rows.source(h);
    if (r.low > row) break;
    const float down = share(r, row);
    for (int64_t w = left; w < a.columns.out; ++w) {
      const UpsampleAxis::Source c = a.columns.source(w);
      if (c.low > column) break;
      sum = fused(gy[h * a.columns.out + w], down * share(c, column), sum);
    }
  }
  gx[plane * a.rows.in * a.columns.in + cell] = sum;
}

}  // namespace

void upsample(Stream stream, const UpsampleAxes& a, const float* x, float* y, int64_t planes) {
  const Cells cells(planes, a.rows.out * a.columns.out);
  launch(cells.launch_in(stream), upsample_kernel, cells, Divider(a.columns.out), a, x, y);
}

void upsample_vjp(Stream stream, const UpsampleAxes& a, const float* gy, float* gx, int64_t planes) {
  const Cells cells(planes, a.rows.in * a.columns.in);
  launch(cells.launch_in(stream), upsample_vjp_kernel, cells, Divider(a.columns.in), a, gy, gx);
}

LOUPE_EXPORT(upsample);
LOUPE_EXPORT(upsample_vjp);

}  // namespace loupe::LOUPE_TARGET
