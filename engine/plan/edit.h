// Edit: a value that is changed in the middle of a pass. A purpose says where and how; an execution says with
// what, for each run anew: which cells (Cells, or any mask) and which numbers.
//
//   set     y = v at the cells of the cells, x elsewhere     (zero: v = 0; take: v from another run)
//   add     y = x + v                                         (steering)
//   scale   y = x · v
//
// An edited node is neither fused nor overwritten, and what reads the node reads the edited value,
// `Execution::value()` too. On the way back the signal at the cells is multiplied by dy/dx: 0, 1 or v.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/graph/graph.h"

namespace loupe {

struct Edit {
  enum class Kind : uint8_t { set, add, scale };
  Port at;
  Kind kind = Kind::set;
  friend bool operator==(const Edit&, const Edit&) = default;
};

/// Cells of a value: on each axis that is named those in [begin, end), on others all.
struct Cells {
  struct Axis {
    int axis;  // −1: the last
    int64_t begin, end;
  };
  std::vector<Axis> axes = {};

  static Cells everything() { return {}; }
  static Cells image(int64_t n) { return {{{0, n, n + 1}}}; }
  /// Of maps (N, C, H, W).
  static Cells channel(int64_t c) { return {{{1, c, c + 1}}}; }
  static Cells position(int64_t y, int64_t x) { return {{{2, y, y + 1}, {3, x, x + 1}}}; }
  /// Of tokens (N, L, D).
  static Cells token(int64_t t) { return {{{1, t, t + 1}}}; }
  /// Head h of what attention made, (…, heads · width).
  static Cells head(int64_t h, int64_t width) { return {{{-1, h * width, (h + 1) * width}}}; }
  /// The cells of both.
  Cells operator&(const Cells& other) const;
  /// 1 at its cells, 0 elsewhere: u8 of that shape. Throws UsageError where it lies outside.
  Tensor mask(const Shape& shape) const;
};

}  // namespace loupe
