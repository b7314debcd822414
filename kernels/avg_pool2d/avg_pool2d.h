// Average pooling: y[n, c, i, j] = the sum of x inside window (i, j), over a divisor (PyTorch's AvgPool2d).
// Its vjp spreads dL/dy ÷ divisor over the window's cells; where windows overlap the shares add up in
// row-major order of the windows.
//
// The divisor is the attribute's if given; otherwise the number of cells in the window: all that lie inside
// the *padded* map with count_include_pad, those inside the map without. A window that ceil mode lets hang
// over the padded map's edge counts only the cells up to that edge.
//
// avg_pool2d and adaptive_avg_pool2d differ only in where windows begin and end, so they share these kernels.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "kernels/common/op.h"
#include "kernels/common/pooling.h"

namespace loupe {

struct AvgPool2d {
  Pair kernel;
  std::optional<Pair> stride = std::nullopt;  // the kernel's size where not given
  Pair padding{0};
  bool ceil_mode = false, count_include_pad = true;
  std::optional<int64_t> divisor = std::nullopt;  // at least 1
};

/// Graph node: (N, C, H, W) → (N, C, H', W'), sizes as Pooling::pooled. UsageError from shape() for sizes
/// that do not fit.
OpPtr avg_pool2d(AvgPool2d);

/// A window along one axis: the cells [begin, end) of the map, and its factor of the divisor.
struct MeanSpan {
  int64_t begin, end, count;
};

/// Where the windows of one axis lie, as plain data. They slide: window i begins at i·stride − padding and
/// has `kernel` cells, in so far as they lie inside the map. Or, with stride 0, they share the map out:
/// window i has the cells ⌊i·size/count⌋ … ⌈(i+1)·size/count⌉ − 1, at most `kernel`.
struct MeanAxis {
  int64_t size, count;  // cells of the map, windows over them
  int64_t kernel, stride = 0, padding = 0;
  bool count_padding = false;  // the divisor counts cells of the padding too
  int64_t divisor = 0;         // this axis' factor of it; 0: the window's cells

  constexpr MeanSpan span(int64_t i) const {
    const int64_t first = i * stride - padding;
    const int64_t begin = stride ? std::max<int64_t>(first, 0) : i * size / count;
    const int64_t end = stride ? std::min(first + kernel, size) : ceil_div((i + 1) * size, count);
    if (divisor) return {begin, end, divisor};
    return {begin, end, count_padding ? std::min(first + kernel, size + padding) - first : end - begin};
  }
};
struct MeanAxes {
  MeanAxis rows, columns;
};

/// Windows = rows × columns; both are in order, neither begin nor end ever decreases.
struct MeanWindows {
  Pair map;
  std::vector<MeanSpan> rows, columns;
};

/// What the two ops share: all but the windows.
class MeanOp : public Op {
 public:
  /// Where the windows lie over a map that shape() accepts.
  virtual MeanAxes axes(Pair map) const = 0;
  MeanWindows windows(Pair map) const;
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  int64_t accumulation_length(Direction, Shapes) const override;
};
std::vector<OpKind::Row> mean_kernels();

namespace ref {
/// x: (planes, map.h, map.w); y: (planes, rows, columns).
template <typename T>
void avg_pool2d(const MeanWindows& windows, const T* x, T* y, int64_t planes);
template <typename T>
void avg_pool2d_vjp(const MeanWindows& windows, const T* gy, T* gx, int64_t planes);
}  // namespace ref

namespace cpu {
/// The same in the blocked layout; planes = n·⌈c/16⌉.
void avg_pool2d(const MeanWindows& windows, const float* x, float* y, int64_t planes);
void avg_pool2d_vjp(const MeanWindows& windows, const float* gy, float* gx, int64_t planes);
}  // namespace cpu

namespace device {  // avg_pool2d.cu; layouts as ref's
inline constexpr DeviceFunction<void(const MeanAxis& rows, const MeanAxis& columns, const float* x, float* y,
                                     int64_t planes)>
    avg_pool2d{"avg_pool2d"};
inline constexpr DeviceFunction<void(const MeanAxis& rows, const MeanAxis& columns, const float* gy,
                                     float* gx, int64_t planes)>
    avg_pool2d_vjp{"avg_pool2d_vjp"};
}  // namespace device

}  // namespace loupe
