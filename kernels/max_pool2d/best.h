// The rule of max pooling, for every kernel that does it.
#pragma once
#include "kernels/device/math.h"
#include "kernels/device/target.h"

namespace loupe::LOUPE_TARGET {

/// The winner of a window so far. It is offered the window's cells in row-major order: the first of equals
/// wins, and the first NaN wins over everything.
struct Best {
  float value = minus_infinity();
  int where = -1;
  LOUPE_DEVICE void offer(float v, int position) {
    if (where >= 0 && !(v > value || (is_nan(v) && !is_nan(value)))) return;
    value = v;
    where = position;
  }
  /// The switch; 0 if the window has no cell on the map.
  LOUPE_DEVICE uint8_t position() const { return static_cast<uint8_t>(where < 0 ? 0 : where); }
};

}  // namespace loupe::LOUPE_TARGET
