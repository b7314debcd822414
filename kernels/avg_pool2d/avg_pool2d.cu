// Average pooling on a GPU. A small window has a thread of its own, neighbours along a row; a large one has a
// warp, which adds up 32 cells at a time and then its lanes; and where the window is the whole map (global
// pooling) the warp reads 16 bytes a lane if the map is whole vectors. The vjp is a gather: one thread a cell
// adds the shares of the windows that cover it, in their order.
//
// Floor: 4 bytes a cell that a window covers, 4 an output; the same backward.
#include "kernels/avg_pool2d/avg_pool2d.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 8;       // of a block
constexpr int kManyCells = 32;  // from here on a window has a warp

// MeanAxis in 32 bits, with the divisions prepared.
struct Axis {
  int size, count, kernel, stride, padding;
  bool count_padding;
  int64_t divisor;
  Divider by_size, by_count, by_stride;

  explicit Axis(const MeanAxis& a)
      : size(small(a.size)),
        count(small(a.count)),
        kernel(small(a.kernel)),
        stride(small(std::min(a.stride, a.size + a.padding))),  // as WindowAxis
        padding(small(a.padding)),
        count_padding(a.count_padding),
        divisor(a.divisor),
        by_size(a.size),
        by_count(a.count),
        by_stride(std::max(stride, 1)) {
    if (stride == 0) small((a.size + 1) * (a.count + 1));  // the products below
  }

  LOUPE_DEVICE int begin(int i) const {
    if (stride == 0) return by_count.quotient(i * size);
    const int first = i * stride - padding;
    return first > 0 ? first : 0;
  }
  LOUPE_DEVICE int end(int i) const {
    if (stride == 0) return by_count.quotient((i + 1) * size + count - 1);
    const int end = i * stride - padding + kernel;
    return end < size ? end : size;
  }
  /// Its factor of window i's divisor.
  LOUPE_DEVICE int64_t cells(int i) const {
    if (divisor > 0) return divisor;
    if (!count_padding) return end(i) - begin(i);
    const int first = i * stride - padding, end = first + kernel, edge = size + padding;
    return (end < edge ? end : edge) - first;
  }
  /// The windows [first_over, last_over] hold `cell`.
  LOUPE_DEVICE int first_over(int cell) const {
    if (stride == 0) return by_size.quotient(cell * count);
    const int past = cell + padding - kernel + 1;
    return past > 0 ? by_stride.quotient(past + stride - 1) : 0;
  }
  LOUPE_DEVICE int last_over(int cell) const {
    if (stride == 0) return by_size.quotient((cell + 1) * count - 1);
    const int last = by_stride.quotient(cell + padding);
    return last < count ? last : count - 1;
  }
};

LOUPE_DEVICE float divisor_of(const Axis& rows, int i, const Axis& columns, int j) {
  return static_cast<float>(rows.cells(i) * columns.cells(j));
}

LOUPE_KERNEL mean_kernel(Cells outputs, Axis rows, Axis columns, const float* x, float* y) {
  int64_t plane;
  int cell;
  if (!outputs.find(plane, cell)) return;
  const int i = columns.by_count.quotient(cell), j = cell - i * columns.count;
  const float* map = x + plane * rows.size * columns.size;
  const int bottom = rows.end(i), left = columns.begin(j), right = columns.end(j);
  float sum = 0;
  for (int h = rows.begin(i); h < bottom; ++h)
    for (int w = left; w < right; ++w) sum += load_readonly(map + h * columns.size + w);
  y[plane * rows.count * columns.count + cell] = sum / divisor_of(rows, i, columns, j);
}

// A warp an output.
LOUPE_KERNEL mean_of_many_kernel(int64_t outputs, Axis rows, Axis columns, const float* x, float* y) {
  const int64_t output = int64_t{blockIdx.x} * kWarps + warp_id();
  if (output >= outputs) return;
  const int pooled = rows.count * columns.count;
  const int64_t plane = output / pooled;
  const int cell = static_cast<int>(output - plane * pooled);
  const int i = columns.by_count.quotient(cell), j = cell - i * columns.count;
  const int top = rows.begin(i), left = columns.begin(j), width = columns.end(j) - left;
  const int cells = (rows.end(i) - top) * width;
  const float* corner = x + (plane * rows.size + top) * columns.size + left;
  float sum = 0;
  for (int k = lane_id(); k < cells; k += kWarp)
    sum += load_readonly(corner + k / width * columns.size + k % width);
  sum = warp_sum(sum);
  if (lane_id() == 0) y[output] = sum / divisor_of(rows, i, columns, j);
}

// A warp a map.
template <int Width>
LOUPE_KERNEL mean_of_map_kernel(int64_t planes, int cells, float divisor, const float* x, float* y) {
  const int64_t plane = int64_t{blockIdx.x} * kWarps + warp_id();
  if (plane >= planes) return;
  const float* map = x + plane * cells;
  float sum = 0;
  for (int k = lane_id() * Width; k < cells; k += kWarp * Width) {
    const auto part = load_vector<Width>(map + k);
    for (int v = 0; v < Width; ++v) sum += part[v];
  }
  sum = warp_sum(sum);
  if (lane_id() == 0) y[plane] = sum / divisor;
}

LOUPE_KERNEL mean_vjp_kernel(Cells cells, Axis rows, Axis columns, Divider by_width, const float* gy,
                             float* gx) {
  int64_t plane;
  int cell;
  if (!cells.find(plane, cell)) return;
  const int h = by_width.quotient(cell), w = cell - h * columns.size;
  const float* from = gy + plane * rows.count * columns.count;
  const int last_i = rows.last_over(h), first_j = columns.first_over(w), last_j = columns.last_over(w);
  float sum = 0;
  for (int i = rows.first_over(h); i <= last_i; ++i)
    for (int j = first_j; j <= last_j; ++j)
      sum += load_readonly(from + i * columns.count + j) / divisor_of(rows, i, columns, j);
  gx[plane * rows.size * columns.size + cell] = sum;
}

}  // namespace

void avg_pool2d(Stream stream, const MeanAxis& rows, const MeanAxis& columns, const float* x, float* y,
                int64_t planes) {
  const int64_t outputs = planes * rows.count * columns.count;
  const int cells = small(rows.size * columns.size);
  if (rows.kernel * columns.kernel < kManyCells) {
    const Cells each(planes, rows.count * columns.count);
    return launch(each.launch_in(stream), mean_kernel, each, Axis(rows), Axis(columns), x, y);
  }
  const Launch warps{{blocks_for(outputs, kWarps)}, {kWarp * kWarps}, 0, stream};
  const MeanSpan row = rows.span(0), column = columns.span(0);
  if (outputs == planes && row.end - row.begin == rows.size && column.end - column.begin == columns.size)
    launch(warps, cells % 4 == 0 ? mean_of_map_kernel<4> : mean_of_map_kernel<1>, planes, cells,
           static_cast<float>(row.count * column.count), x, y);
  else
    launch(warps, mean_of_many_kernel, outputs, Axis(rows), Axis(columns), x, y);
}

void avg_pool2d_vjp(Stream stream, const MeanAxis& rows, const MeanAxis& columns, const float* gy, float* gx,
                    int64_t planes) {
  const Cells cells(planes, rows.size * columns.size);
  small(rows.count * columns.count);
  launch(cells.launch_in(stream), mean_vjp_kernel, cells, Axis(rows), Axis(columns), Divider(columns.size),
         gy, gx);
}

LOUPE_EXPORT(avg_pool2d);
LOUPE_EXPORT(avg_pool2d_vjp);

}  // namespace loupe::LOUPE_TARGET
