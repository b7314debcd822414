// One pass over arrays, 16 bytes a thread.
#pragma once
#include "kernels/device/launch.h"
#include "kernels/device/memory.h"

namespace loupe::LOUPE_TARGET {

struct Vectors {
  static constexpr int kThreads = 256, kWidth = 4;  // threads of a block, floats of a thread
  int64_t count;                                    // elements

  Launch launch_in(Stream stream) const {
    return {{blocks_for(count, kThreads * kWidth)}, {kThreads}, 0, stream};
  }
  /// Calls body(i, width) for the thread's elements: once for four of them, or, at the end of an array that
  /// is no multiple of four, for each of the last ones. `width` is a std::integral_constant, 4 or 1.
  template <typename Body>
  LOUPE_DEVICE void visit(const Body& body) const {
    const int64_t first = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kWidth;
    if (first + kWidth <= count) return body(first, std::integral_constant<int, kWidth>());
    for (int64_t i = first; i < count; ++i) body(i, std::integral_constant<int, 1>());
  }
};

}  // namespace loupe::LOUPE_TARGET
