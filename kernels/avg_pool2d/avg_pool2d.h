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

/// Graph node: (N, C, H, W) → (N, C, H', W'), sizes as Pooling::pooled. UsageError from infer() for sizes
/// that do not fit.
OpPtr avg_pool2d(AvgPool2d);

/// A window along one axis: the cells [begin, end) of the map, and its factor of the divisor.
struct MeanSpan {
  int64_t begin, end, count;
};

/// Windows = rows × columns; both are in order, neither begin nor end ever decreases.
struct MeanWindows {
  Pair map;
  std::vector<MeanSpan> rows, columns;
};

/// What the two ops share: all but the windows.
class MeanOp : public Op {
 public:
  /// Where the windows lie over a map that infer() accepts.
  virtual MeanWindows windows(Pair map) const = 0;
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

}  // namespace loupe
