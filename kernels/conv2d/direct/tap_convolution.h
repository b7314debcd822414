// TapConvolution: the one loop nest behind every convolution on the CPU, and how it is cut into tasks.
//
// A convolution is a sum over *taps*: the output cell (i, j) of a map reads the input cell
// (i·in_step.h + dh, j·in_step.w + dw), for each tap (dh, dw). That is the forward pass as it stands. The vjp
// to the input of a convolution with stride s (and so the forward pass of a transposed convolution) is
// s.h·s.w such sums, one *phase* for each (row mod s.h, column mod s.w) of the result, each with the taps
// that land on it: nothing is multiplied with inserted zeros.
//
// Arrays are in the blocked layout. Output channels are made 16 (one block) or 32 at a time: a *step*, which
// knows the input channels it reads. Blocks that hold several groups take one step for each, which writes
// only that group's lanes; thus no group sees another's values, not even their NaN.
//
// Every output element starts from its bias and adds its products in one order (16-channel block, tap,
// channel), which follows from the layer's shape alone; tiles, tasks and threads only choose which elements
// are made together.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "kernels/conv2d/conv2d.h"

namespace loupe::cpu {

struct Tap {
  int64_t dh, dw;
  int64_t weight;  // r·kernel.w + q: its place in the planar weight
};

/// Where a map's cells are, in floats: the blocked layout, or a view of it.
struct MapStrides {
  int64_t image, block, row, pixel;
};

/// One lattice of outputs: cell (i, j) is written at (first.h + i·out_step.h, first.w + j·out_step.w).
struct Phase {
  Pair first{0};
  int64_t rows = 0, cols = 0, last_cols = 0;  // the last row may be shorter (see fold_pixels)
  std::vector<Tap> taps;
  int64_t first_tap = 0;  // taps of the phases before it

  // Input cells needed, relative to the first output's: from low to high, both inclusive.
  Pair low{0}, high{0};
  bool padded = false;  // some lie outside the map: a task first copies its rows, with a border of zeros

  // Tasks: (image, row_tasks, unit_tasks).
  int64_t rows_per_task = 0, row_tasks = 0, units_per_task = 0, unit_tasks = 0;
  int64_t tasks() const { return row_tasks * unit_tasks; }
};

/// The output channels that one micro-kernel call makes.
struct Step {
  int64_t k_block;
  int blocks;  // 1 or 2
  int64_t group;
  int64_t c_begin, c_end;  // input channels read
  uint16_t lanes;          // of the last block: which to write (those before are written whole)
  bool first;              // first step of its block: the other lanes become zero; later steps leave them
  int64_t weights;         // offset of its packed weights
};

struct TapConvolution {
  int64_t n, in_channels, in_h, in_w, out_channels, out_h, out_w, groups;
  bool depthwise = false;         // one channel a group, in and out: lanes are multiplied with lanes
  bool weight_is_in_out = false;  // the planar weight's first dimension counts input channels (vjp_input)
  bool folded = false;            // see fold_pixels
  int64_t group_weight;           // size of the planar weight's second dimension
  int64_t kernel_cells;           // and of the last two together
  Pair in_step{1}, out_step{1};
  MapStrides in, out;
  std::vector<Phase> phases;
  std::vector<Step> steps;
  std::vector<int64_t> units;  // steps [units[u], units[u+1]) belong to the same blocks and stay in one task

  int64_t taps() const {
    return phases.empty() ? 0 : phases.back().first_tap + static_cast<int64_t>(phases.back().taps.size());
  }
  int64_t tasks_per_image() const;
  int64_t packed_size() const;
  /// Floats of scratch that one thread needs.
  int64_t scratch_size() const;
};

/// y = conv(x), and gx = convᵀ(gy).
TapConvolution forward_taps(const ConvSizes&);
TapConvolution vjp_input_taps(const ConvSizes&);

/// Writes packed_size() floats: step, phase, block, 16-channel block of input, tap, channel, 16 output lanes.
void pack_taps(const TapConvolution&, const float* weight, float* packed);

/// The steps of all output blocks; with `pairs`, two blocks of one group make one step. `units` as in
/// TapConvolution.
std::vector<Step> make_steps(int64_t in_channels, int64_t out_channels, int64_t groups, bool pairs,
                             std::vector<int64_t>* units);

std::string describe_taps(const TapConvolution&);

/// One run of it, as the kernels in conv2d.cpu.cpp see it.
struct TapCall {
  const TapConvolution& taps;
  const float* in;
  const float* weights;  // packed
  const float* bias;     // padded to whole blocks, or null
  Epilogue epilogue;
  const float* residual;  // like `out`, or null
  float* out;
  void* record;  // of the epilogue, or null
};

/// The gradient of the weights between up to 16 input channels and a block of output channels, at one kernel
/// cell: sums[c][lane] = Σ x[image, row, col][c] · gy[image, row, col][lane]. Strides are in floats.
struct WeightSum {
  const float* x;   // first input cell, at the first of the channels
  const float* gy;  // first output cell
  int64_t x_image, x_row, x_pixel;
  int64_t gy_image, gy_row;
  int64_t images, rows, cols;
};

}  // namespace loupe::cpu
