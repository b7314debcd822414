// Where the kernels of conv2d.cu work: the axes of a convolution, its phases, a block's part of the output,
// its pixels.
#pragma once
#include "kernels/device/target.h"

namespace loupe::LOUPE_TARGET {

/// One axis of the convolution, as the kernels see it: it makes `out` cells from `in` cells.
struct Axis {
  int in, out, kernel, stride, padding, dilation;
  bool adjoint;
  int phases;
};

/// One phase of an axis: it makes the cells first, first + out_step …, `count` in all. Cell i of them sees,
/// through tap tap + a·tap_step of the kernel (0 ≤ a < taps), the input cell i·in_step + cell + a·cell_step.
struct PhaseAxis {
  int first, out_step, count, in_step;
  int tap, tap_step, taps, cell, cell_step;
};

LOUPE_DEVICE PhaseAxis phase_axis(const Axis& x, int phase) {
  if (!x.adjoint) return {0, 1, x.out, x.stride, 0, 1, x.kernel, -x.padding, x.dilation};
  // Tap r of output cell `phase` + i·stride sees input cell i + (phase + padding − r·dilation) / stride, if
  // that is an integer: from the first such tap on, every tap_step-th.
  int divisor = x.stride, rest = x.dilation % x.stride;
  while (rest) {
    const int next = divisor % rest;
    divisor = rest;
    rest = next;
  }
  PhaseAxis p{phase, x.stride, (x.out - phase + x.stride - 1) / x.stride,
              1,     0,        x.stride / divisor,
              0,     0,        -(x.dilation / divisor)};
  for (int r = 0; r < x.kernel && r < p.tap_step; ++r) {
    const int position = phase + x.padding - r * x.dilation;
    if (position % x.stride != 0) continue;
    p.tap = r;
    p.taps = (x.kernel - 1 - r) / p.tap_step + 1;
    p.cell = position / x.stride;
    break;
  }
  return p;
}

/// What a launch computes. Channels are counted within a group.
struct Convolution {
  int n, groups, in_channels, out_channels;
  int pitch;  // of a row of packed weights: out_channels, or more
  Axis h, w;
  int map_in, taps;  // input cells of a channel, taps of the kernel
  bool vectors;      // 1×1, stride 1, no padding, maps of 4·i cells: pixels are read four at a time
};

/// Where a block works.
struct Place {
  int group, first_row;  // the first output channel
  int first_col;         // the first pixel of the phase, over the batch
  PhaseAxis h, w;

  LOUPE_DEVICE Place(const Convolution& c, int tile_rows, int tile_cols) {
    const int row_tiles = (c.out_channels + tile_rows - 1) / tile_rows;
    // Blocks that differ in their channels alone are neighbours, and find each other's pixels in L2.
    unsigned b = blockIdx.x;
    first_row = static_cast<int>(b % static_cast<unsigned>(row_tiles)) * tile_rows;
    b /= static_cast<unsigned>(row_tiles);
    group = static_cast<int>(b % static_cast<unsigned>(c.groups));
    b /= static_cast<unsigned>(c.groups);
    w = phase_axis(c.w, static_cast<int>(b % static_cast<unsigned>(c.w.phases)));
    b /= static_cast<unsigned>(c.w.phases);
    h = phase_axis(c.h, static_cast<int>(b % static_cast<unsigned>(c.h.phases)));
    first_col = static_cast<int>(b / static_cast<unsigned>(c.h.phases)) * tile_cols;
  }
  LOUPE_DEVICE int image_cols() const { return h.count * w.count; }
};

struct Pixel {
  int image, row, col;  // of a phase
};
LOUPE_DEVICE Pixel pixel_of(const Place& place, int p) {
  const int image = p / place.image_cols(), rest = p - image * place.image_cols();
  return {image, rest / place.w.count, rest % place.w.count};
}

/// The element of the pixel's image in `to` that belongs to channel 0 of the group.
LOUPE_DEVICE int64_t element_of(const Convolution& c, const Place& place, const Pixel& p) {
  const int row = place.h.first + p.row * place.h.out_step, col = place.w.first + p.col * place.w.out_step;
  return int64_t{place.group} * c.out_channels * c.h.out * c.w.out + int64_t{row} * c.w.out + col;
}

}  // namespace loupe::LOUPE_TARGET
