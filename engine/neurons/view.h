// View: a picture as it is looked at in one step of ascent, a little moved, turned and scaled, so that what is found
// does not hang on single pixels (Olah et al. 2017, "Feature Visualization": transformation robustness).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/common/draws.h"

namespace loupe {

struct View {
  double down = 0, right = 0;  // pixels that what is seen moves by
  double scale = 1;            // how much larger it looks
  double turn = 0;             // radians, clockwise
  bool is_plain() const { return down == 0 && right == 0 && scale == 1 && turn == 0; }
};

/// The cell of an axis of n that cell i, of any size, shows where the axis is mirrored at both ends again and again:
/// …, 1, 0, 0, 1, …, n − 1, n − 1, …
int64_t mirrored(int64_t i, int64_t n);

/// How far views may go.
struct ViewRange {
  int64_t jitter = 0;   // at most so many pixels up, down, left and right
  double scale = 0;     // from 1/(1 + scale) to 1 + scale
  double rotation = 0;  // at most so many degrees to either side
  View draw(const Draws&, const std::string& name, int64_t step) const;
};

/// Sampling a plane (height, width) as a view shows it: out(y, x) = in(m + R·((y, x) − m − moved)/scale), m the middle,
/// R the turn; linear between pixels, mirrored at the edges.
class Sampling {
 public:
  Sampling() = default;  // of nothing
  Sampling(const View&, int64_t height, int64_t width);
  void sample(const double* plane, double* out) const;
  /// Its transpose: adds to `plane` what a gradient by `out` is by the plane.
  void pull(const double* gradient, double* plane) const;

 private:
  struct Cell {
    int32_t top, bottom;  // of rows y0 and y1, where they begin
    int32_t left, right;
    double down, along;  // part of the way from top to bottom, from left to right
  };
  std::vector<Cell> cells_;
};

}  // namespace loupe
