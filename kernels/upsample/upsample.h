// upsample: maps at another size, as PyTorch's functional.interpolate makes them. With r the input's cells
// for one of the output's (in / out, or 1 / scale where a scale is given), row i of the output is made of
//
//   nearest     row ⌊i · r⌋, computed in float32 as PyTorch does
//   bilinear    rows ⌊t⌋ and ⌊t⌋ + 1 with weights 1 − (t − ⌊t⌋) and t − ⌊t⌋, where t = max(0, (i + ½)·r − ½),
//               or, with align_corners, t = i · (in − 1) / (out − 1); beyond the last row it is the last row
//
// and so are columns. The vjp adds dL/dy, times those weights, to what it was made of, row by row.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

struct Upsample {
  enum class Mode : uint8_t { nearest, bilinear };
  double scale = 0;  // the output is ⌊scale · size⌋; or
  Pair size = 0;     // its height and width
  Mode mode = Mode::nearest;
  bool align_corners = false;  // of bilinear
};

/// Graph node: one input (N, C, H, W), which may become smaller too. Throws UsageError unless one of scale
/// and size is given.
OpPtr upsample(Upsample attributes);

/// How an axis of the output is made of one of the input; plain data, as it crosses the border of a device's
/// module.
struct UpsampleAxis {
  int64_t in, out;
  double ratio;  // r
  bool nearest, align_corners;

  /// The rows `low` and `high` that row i is made of, and the weight of the latter.
  struct Source {
    int64_t low, high;
    double weight;
  };
  constexpr Source source(int64_t i) const {
    if (nearest) {
      const auto at = static_cast<int64_t>(static_cast<float>(i) * static_cast<float>(ratio));
      const int64_t row = at < in ? at : in - 1;
      return {row, row, 0};
    }
    double t = align_corners ? static_cast<double>(i) * ratio : (static_cast<double>(i) + 0.5) * ratio - 0.5;
    if (t < 0) t = 0;
    const auto floor = static_cast<int64_t>(t);
    if (floor >= in - 1) return {in - 1, in - 1, 0};
    return {floor, floor + 1, t - static_cast<double>(floor)};
  }
  /// The first output row that is made of row `row` or a later one; `out` if there is none. (Sources only
  /// grow.)
  constexpr int64_t first_from(int64_t row) const {
    int64_t low = 0, high = out;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (source(middle).high >= row)
        high = middle;
      else
        low = middle + 1;
    }
    return low;
  }
};

struct UpsampleAxes {
  UpsampleAxis rows, columns;
};

namespace ref {
/// x and y: (planes, h, w) planar.
template <typename T>
void upsample(const UpsampleAxes& a, const T* x, T* y, int64_t planes);
template <typename T>
void upsample_vjp(const UpsampleAxes& a, const T* gy, T* gx, int64_t planes);
}  // namespace ref

namespace cpu {
/// x and y: (planes, h, w, 16), planes = n · ⌈c/16⌉.
void upsample(const UpsampleAxes& a, const float* x, float* y, int64_t planes);
void upsample_vjp(const UpsampleAxes& a, const float* gy, float* gx, int64_t planes);
}  // namespace cpu

namespace device {  // upsample.cu; layouts as ref's
inline constexpr DeviceFunction<void(const UpsampleAxes& a, const float* x, float* y, int64_t planes)>
    upsample{"upsample"};
inline constexpr DeviceFunction<void(const UpsampleAxes& a, const float* gy, float* gx, int64_t planes)>
    upsample_vjp{"upsample_vjp"};
}  // namespace device

}  // namespace loupe
