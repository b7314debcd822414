// Words for the simulator's messages.
#pragma once
#include <cstdint>
#include <string>

#include "kernels/sim/executor.h"

namespace loupe::sim {

inline const char* verb(Executor::Kind kind) { return kind == Executor::read ? "reads" : "writes"; }

// "3 KiB" is too coarse for a wrong index.
inline std::string count_of(uint64_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

/// The place of the i-th thread or block, x fastest.
inline Dim3 unravel(uint64_t i, const Dim3& size) {
  return {static_cast<unsigned>(i % size.x), static_cast<unsigned>(i / size.x % size.y),
          static_cast<unsigned>(i / size.x / size.y)};
}

inline std::string text(const Dim3& d) {
  return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

}  // namespace loupe::sim
