// Patch: a rectangle of each image's maps, where all images have the same maps but for a window of their own.
// With it a layer's window is computed from what changed and what did not (engine/plan/windows.h).
//
//   y[n,c,i,j] = windows[n, c, r − wy, q − wx]    where (r, q) = (py + i, px + j) lies in image n's window
//                base[0, c, r, q]                 elsewhere in the maps
//                outside                          beyond the maps, whatever a window that hangs over holds there
//
//   windows (N, C, h, w)   base (1, C, H, W)   places (N, P, 4) i32, of which row `place` is (wy, wx, py, px)
//   y (N, C, height, width)
//
// dL/d(windows) is dL/dy where a cell came from the window, else 0; nobody asks for dL/d(base).
#pragma once
#include "kernels/common/op.h"

namespace loupe {

struct Patch {
  int64_t height, width;
  int64_t place = 0;   // the row of `places`
  double outside = 0;  // what is beyond the maps; may be −∞
};
/// Graph node: operands windows, base, places.
OpPtr patch(Patch);

struct PatchSizes {
  int64_t n, c;
  int64_t map_h, map_w, window_h, window_w, patch_h, patch_w;
  int64_t rows, row;  // of `places`
};

namespace ref {
template <typename T>
void patch(const PatchSizes&, const T* windows, const T* base, const int32_t* places, T outside, T* y);
template <typename T>
void patch_vjp(const PatchSizes&, const T* gy, const int32_t* places, T* g_windows);
}  // namespace ref
namespace cpu {  // blocked
void patch(const PatchSizes&, const float* windows, const float* base, const int32_t* places, float outside,
           float* y);
void patch_vjp(const PatchSizes&, const float* gy, const int32_t* places, float* g_windows);
}
namespace device {  // patch.cu; planar
inline constexpr DeviceFunction<void(const PatchSizes&, const float* windows, const float* base,
                                     const int32_t* places, float outside, float* y)>
    patch{"patch"};
inline constexpr DeviceFunction<void(const PatchSizes&, const float* gy, const int32_t* places,
                                     float* g_windows)>
    patch_vjp{"patch_vjp"};
}  // namespace device

}  // namespace loupe
