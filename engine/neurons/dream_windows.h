// Windows over a picture of any size, each of which a network can see, and gradients by them.
//
// Where every cell of a goal's layer sees a window of the picture (convolutions, pools, what works cell by cell), the
// gradient is that of the whole picture, exactly: windows overlap by what a cell sees, a cell of which a window shows a
// part only has no say there, and a pixel's gradient is taken from the window that shows all the cells which see it.
// Windows begin at multiples of the layers' strides, so that each cell is the cell that it is in the whole picture. There
// are no seams to hide, and the size of windows changes nothing.
//
// Else (classes behind a global pool, a transformer's tokens) each window, of the network's own size, is a picture by
// itself. They overlap by a quarter, in which gradients fade from one into the next.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/neurons/dream_goals.h"

namespace loupe {

struct WindowLimits {
  int64_t side = 1024;  // pixels of a window's side, where the windows make no difference
  int64_t bytes = 0;    // of what a window's pass needs; 0: no limit
};

class DreamWindows {
 public:
  /// For a picture of height × width pixels, which lies somewhere in a view that is `room` pixels larger, or more. Throws
  /// UsageError where the network takes no pictures, or the least window that would do needs more than the limit.
  DreamWindows(Network& net, DreamGoal goal, int64_t height, int64_t width, int64_t room = 0,
               const WindowLimits& limits = {});

  /// Whether windows give the whole view's gradient.
  static bool are_exact(const Graph& graph, const DreamGoal& goal);

  /// Sizes of the view. Where windows are no exact ones there is room to move them by as far as they are apart.
  int64_t height() const { return rows_.view; }
  int64_t width() const { return columns_.view; }

  /// One axis of a window: the pixels of the view that it sees, and how much each pixel's gradient counts. Those of all
  /// windows add up to 1.
  struct Side {
    int64_t begin = 0, end = 0;
    std::vector<float> weights = {};
  };
  struct Window {
    const Side &rows, &columns;
  };
  int64_t count() const { return std::ssize(rows_.sides) * std::ssize(columns_.sides); }
  Window window(int64_t i) const {
    return {rows_.sides[static_cast<size_t>(i / std::ssize(columns_.sides))],
            columns_.sides[static_cast<size_t>(i % std::ssize(columns_.sides))]};
  }

  /// dL/d(input) (1, C, h, w), in the device's type, of the pixels that window i sees, preprocessed.
  Tensor gradient(int64_t i, const Tensor& x);

 private:
  struct Axis {
    int64_t view = 0, window = 0;
    std::vector<Side> sides = {};
  };
  void lay_exact(const WindowLimits& limits);
  void lay_apart(int64_t room, const WindowLimits& limits);
  [[noreturn]] void refuse(int64_t need) const;
  std::vector<char> full(const Axis& axis, const Side& side, int direction, int64_t cells) const;
  Shape shape(int64_t height, int64_t width) const;
  int64_t bytes(int64_t height, int64_t width);

  Network& net_;
  DreamGoal goal_;
  Purpose purpose_;
  ReceptiveField field_;
  bool exact_;
  Axis rows_, columns_;
};

}  // namespace loupe
