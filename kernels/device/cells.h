// Which cell a thread works on, in kernels with one thread for each cell of many maps (planes). Large maps
// take many blocks, and tiny ones share a block: a block works on a bundle of whole planes, of some thousands
// of cells. So a thread counts in 32 bits, only a plane's number has 64, and no axis of the grid runs out.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/device/launch.h"

namespace loupe::LOUPE_TARGET {

/// A side or a count that a kernel keeps in 32 bits.
inline int small(int64_t value) {
  constexpr int64_t kMost = int64_t{1} << 30;
  if (value < 0 || value > kMost)
    throw Failure("a map, a window or a row has " + std::to_string(value) +
                  " cells; a device counts to 2^30");
  return static_cast<int>(value);
}

/// Division by a number that is known at launch, as one multiplication (Granlund & Montgomery 1994).
class Divider {
 public:
  /// `divisor` at least 1.
  explicit Divider(int64_t divisor) {
    const auto d = static_cast<uint64_t>(small(divisor));
    while (uint64_t{1} << shift_ < d) ++shift_;
    magic_ = static_cast<uint32_t>((((uint64_t{1} << shift_) - d) << 32) / d + 1);
  }
  /// ⌊n / divisor⌋ for 0 ≤ n < 2³¹.
  LOUPE_DEVICE int quotient(int n) const {
    const auto u = static_cast<uint32_t>(n);
    const auto high = static_cast<uint32_t>(uint64_t{u} * magic_ >> 32);
    return static_cast<int>((high + u) >> shift_);
  }

 private:
  uint32_t magic_ = 0, shift_ = 0;
};

class Cells {
 public:
  static constexpr int kThreads = 256;  // of a block

  /// `cells` in each of `planes`.
  Cells(int64_t planes, int64_t cells)
      : planes_(planes), cells_(small(cells)), by_cells_(cells), by_tiles_(1) {
    constexpr int64_t kEnough = 8 * kThreads;  // then a last block that is not full is little waste
    bundle_ = static_cast<int>(std::min(planes, (kEnough + cells - 1) / cells));
    tiles_ = (bundle_ * cells_ + kThreads - 1) / kThreads;
    by_tiles_ = Divider(tiles_);
  }
  Launch launch_in(Stream stream) const {
    return {{blocks_for((planes_ + bundle_ - 1) / bundle_ * tiles_, 1)}, {kThreads}, 0, stream};
  }

  /// The calling thread's cell. False: it has none.
  LOUPE_DEVICE bool find(int64_t& plane, int& cell) const {
    const int block = static_cast<int>(blockIdx.x), bundle = by_tiles_.quotient(block);
    const int index = (block - bundle * tiles_) * kThreads + static_cast<int>(threadIdx.x);
    const int in_bundle = by_cells_.quotient(index);
    plane = int64_t{bundle} * bundle_ + in_bundle;
    cell = index - in_bundle * cells_;
    return in_bundle < bundle_ && plane < planes_;
  }

 private:
  int64_t planes_;
  int cells_, bundle_ = 0, tiles_ = 0;
  Divider by_cells_, by_tiles_;
};

}  // namespace loupe::LOUPE_TARGET
