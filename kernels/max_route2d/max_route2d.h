// max_route2d: numbers sent to where a map is largest. v[n, c, i, j] goes to the place of the largest x inside
// window (i, j) of a max pooling; what meets at a place adds up, in row-major order of the windows, and every
// other place is 0. With the map's own switches this is max_pool2d's vjp; a rule of the way back has the map
// where it has no switches, or wants those of two maps (DeepLIFT's pools).
//
//   v (N, C, H', W'), x (N, C, H, W)  →  (N, C, H, W)
//
// The numbers of x are compared after rounding to multiples of 2^−bits (halves to even): sums that differ in
// rounding alone are then equal, and the first in row-major order wins. NaN as in max_pool2d.
// The vjp to v reads dL/dy where v went; there is none to x.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"
#include "kernels/max_pool2d/max_pool2d.h"

namespace loupe {

struct MaxRoute2d {
  Pooling pooling;
  int bits = 30;  // 0 to 60
};

/// Graph node: operands v and x. UsageError from shape() unless v is as large as x pooled.
OpPtr max_route2d(const MaxRoute2d&);

namespace host {
/// to[i] = x[i], rounded to a multiple of 2^−bits. Numbers of any layout.
template <typename T>
void round_to_grid(int bits, const T* x, T* to, int64_t count);
}  // namespace host

namespace device {  // max_route2d.cu
/// The switches of max_pool2d of the rounded map. x: (planes, map.h, map.w); switches: (planes, pooled.h,
/// pooled.w).
inline constexpr DeviceFunction<void(const Pooling& pooling, int bits, Pair map, Pair pooled, const float* x,
                                     uint8_t* switches, int64_t planes)>
    rounded_switches{"rounded_switches"};
}  // namespace device

}  // namespace loupe
