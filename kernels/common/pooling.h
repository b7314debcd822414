// Pooling: windows that slide over maps, as the pooling ops (max_pool2d, max_unpool2d, avg_pool2d) share
// them. Window (i, j) begins at row i·stride.h − padding.h and column j·stride.w − padding.w; its cells are
// dilation apart. Sizes are PyTorch's.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/common/shape.h"

namespace loupe {

/// A window along one axis: cell r lies at first + r·dilation, and the cells [begin, end) lie inside the map.
struct WindowSpan {
  int64_t first, begin, end;
  bool empty() const { return begin >= end; }
};

struct Pooling {
  Pair kernel, stride;
  Pair padding{0}, dilation{1};
  bool ceil_mode = false;

  /// Throws UsageError, beginning with the op's name, for a kernel, stride or dilation below 1, a negative
  /// padding, and a padding of more than half the kernel.
  void check(std::string_view op) const;
  /// Windows along both axes of a map. In ceil mode the last one may hang over the far edge, but begins
  /// inside the map or its near padding. Throws UsageError if not even one fits; calls check() first.
  Pair pooled(std::string_view op, Pair map) const;
  /// The same without checks, 0 along an axis where no window fits.
  Pair windows(Pair map) const;
  /// The windows of each axis over a map; `pooled` as above.
  std::vector<WindowSpan> rows(Pair map, Pair pooled) const;
  std::vector<WindowSpan> columns(Pair map, Pair pooled) const;
  /// The most windows that share one cell of the map: the length of a vjp's sums.
  int64_t overlap() const;
  /// "3×3, stride 2, padding 1, ceil"
  std::string str() const;
};

/// For ops with switches: throws UsageError if the window has more than 256 cells.
void expect_switch_fits(std::string_view op, Pair kernel);

/// "2" or, if the two differ, "2×1".
std::string short_str(Pair);

}  // namespace loupe
