// Convolution on the CPU: one direct micro-kernel. tap_convolution.h says what it sums and how work is cut.
//
// The micro-kernel keeps P pixels × 16 or 32 output channels in registers. For each input channel it loads
// its weights to those output channels once and multiplies them with each pixel's value, broadcast. A fused
// multiply-add thus costs 1/P of a load of weights and, with 32 channels, half a broadcast. AVX-512 keeps
// 14 × 32 sums in 28 of its 32 registers, AVX2 6 × 16 in 12 of its 16.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/direct/conv2d.cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"
#include "kernels/conv2d/direct/tap_convolution.h"
#include "kernels/conv2d/direct/tile-inl.h"
#include "kernels/elementwise/epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other ops' functions of the same name would merge with these

using cpu::MapStrides;
using cpu::Phase;
using cpu::Step;
using cpu::TapCall;
using cpu::TapConvolution;

// Of vjp_weight: kernel cells with their channels.
constexpr int kMaxCells = kVectors == 1 ? 28 : kVectors == 2 ? 6 : 2;

template <int kPixels>
void depthwise_tile(const Tile& t) {
  Block sum[kPixels][1];
  start(t, sum);
  const float* in = t.in + (t.c_begin / kBlock - t.first_c_block) * t.in_block;
  for (int64_t tap = 0; tap < t.tap_count; ++tap) {
    const float* x = in + t.taps[tap];
    const Block w = load(t.weights + tap * kBlock);
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) sum[i][0] = fma(load(x + i * t.in_pixel), w, sum[i][0]);
  }
  end(t, sum);
}

template <int... i>
constexpr TileTable depthwise_table(std::integer_sequence<int, i...>) {
  return {depthwise_tile<i + 1>...};
}
constexpr TileTable kDepthwise = depthwise_table(Sizes());

// Rows [row0, row0 + rows) of channel blocks [block0, block1) of an image, with zeros around the map, as
// (block, row, col, 16).
void copy_padded(const TapConvolution& t, const float* image, int64_t row0, int64_t col0, int64_t rows,
                 int64_t cols, int64_t block0, int64_t block1, float* to) {
  const int64_t left = std::clamp<int64_t>(-col0, 0, cols);
  const int64_t right = std::clamp<int64_t>(t.in_w - col0, left, cols);
  for (int64_t b = block0; b < block1; ++b)
    for (int64_t row = row0; row < row0 + rows; ++row, to += cols * kBlock) {
      if (row < 0 || row >= t.in_h || left == right) {
        std::fill_n(to, cols * kBlock, 0.0f);
        continue;
      }
      const float* from = image + b * t.in.block + row * t.in.row + (col0 + left) * t.in.pixel;
      std::fill_n(to, left * kBlock, 0.0f);
      std::copy_n(from, (right - left) * kBlock, to + left * kBlock);
      std::fill_n(to + right * kBlock, (cols - right) * kBlock, 0.0f);
    }
}

// One row of one step, tile by tile. `tile.in` and `out` are at the row's first pixel.
void run_row(const TapCall& call, const Step& step, Tile tile, int64_t cols, float* out) {
  const TapConvolution& t = call.taps;
  const int64_t out_pixel = t.out_step.w * t.out.pixel;
  const bool plain = !call.epilogue && step.lanes == 0xffff;
  const int64_t tiles = ceil_div(cols, kMaxPixels);
  alignas(64) float sums[2 * kMaxPixels * kBlock];
  for (int64_t i = 0; i < tiles; ++i) {
    const auto pixels = static_cast<int>(cols / tiles + (i < cols % tiles));  // as even as can be
    tile.out = plain ? out : sums;
    tile.out_pixel = plain ? out_pixel : kBlock;
    tile.out_block = plain ? t.out.block : kMaxPixels * kBlock;
    for (int b = 0; b < step.blocks; b += kMaxBlocks) {
      Tile part = tile;
      part.out += b * tile.out_block;
      part.weights += b * tile.weights_block;
      if (part.bias) part.bias += b * kBlock;
      const TileTable& table = t.depthwise ? kDepthwise : kDense[std::min(step.blocks, kMaxBlocks) - 1];
      table[static_cast<size_t>(pixels - 1)](part);
    }
    for (int b = 0; !plain && b < step.blocks; ++b) {
      finish_cells(call.epilogue, {.from = sums + b * kMaxPixels * kBlock,
                                   .residual = call.residual,
                                   .to = call.out,
                                   .record = call.record,
                                   .offset = out + b * t.out.block - call.out,
                                   .step = out_pixel,
                                   .cells = pixels,
                                   .lanes = b + 1 == step.blocks ? step.lanes : uint16_t{0xffff},
                                   .keep_others = !step.first});
    }
    tile.in += pixels * tile.in_pixel;
    out += pixels * out_pixel;
  }
}

void RunTask(const TapCall& call, int64_t image, const Phase& p, int64_t task, float* scratch) {
  const TapConvolution& t = call.taps;
  const int64_t row_begin = task / p.unit_tasks * p.rows_per_task;
  const int64_t row_end = std::min(p.rows, row_begin + p.rows_per_task);
  const int64_t unit_begin = task % p.unit_tasks * p.units_per_task;
  const int64_t unit_end = std::min(static_cast<int64_t>(t.units.size()) - 1, unit_begin + p.units_per_task);
  const Step* step_begin = t.steps.data() + t.units[static_cast<size_t>(unit_begin)];
  const Step* step_end = t.steps.data() + t.units[static_cast<size_t>(unit_end)];

  // The input: in place, or a padded copy of what these rows and steps read.
  const float* in = call.in + image * t.in.image;
  MapStrides strides = t.in;
  Pair origin{0};  // the input cell that `in` points to
  int64_t first_block = 0;
  if (p.padded) {
    origin = {row_begin * t.in_step.h + p.low.h, p.low.w};
    first_block = step_begin->c_begin / kBlock;
    const int64_t rows = (row_end - 1 - row_begin) * t.in_step.h + p.high.h - p.low.h + 1;
    const int64_t cols = (p.cols - 1) * t.in_step.w + p.high.w - p.low.w + 1;
    copy_padded(t, in, origin.h, origin.w, rows, cols, first_block, blocks(step_end[-1].c_end), scratch);
    in = scratch;
    strides = {0, rows * cols * kBlock, cols * kBlock, kBlock};
  }
  std::vector<int64_t> tap_offsets(p.taps.size());
  for (size_t i = 0; i < p.taps.size(); ++i)
    tap_offsets[i] = (p.taps[i].dh - p.low.h) * strides.row + (p.taps[i].dw - p.low.w) * strides.pixel;

  for (const Step* step = step_begin; step < step_end; ++step) {
    const auto tap_count = static_cast<int64_t>(p.taps.size());
    const int64_t weights_tap = (t.depthwise ? 1 : step->c_end - step->c_begin) * kBlock;
    Tile tile{};
    tile.in_pixel = t.in_step.w * strides.pixel;
    tile.in_block = strides.block;
    tile.first_c_block = first_block;
    tile.taps = tap_offsets.data();
    tile.tap_count = tap_count;
    tile.c_begin = step->c_begin;
    tile.c_end = step->c_end;
    tile.weights = call.weights + step->weights + p.first_tap * step->blocks * weights_tap;
    tile.weights_block = tap_count * weights_tap;
    tile.bias = call.bias ? call.bias + step->k_block * kBlock : nullptr;
    float* block = call.out + image * t.out.image + step->k_block * t.out.block + p.first.w * t.out.pixel;
    for (int64_t row = row_begin; row < row_end; ++row) {
      tile.in =
          in + (row * t.in_step.h + p.low.h - origin.h) * strides.row + (p.low.w - origin.w) * strides.pixel;
      run_row(call, *step, tile, row + 1 == p.rows ? p.last_cols : p.cols,
              block + (p.first.h + row * t.out_step.h) * t.out.row);
    }
  }
}

// The same for kCells values of the input around each output, `offsets` from s.x: channels of several kernel
// cells, where a cell has too few to keep the multipliers busy.
template <int kCells>
void sum_cells(const WeightSum& s, const int64_t* offsets, float* sums) {
  Block sum[kCells];
#pragma GCC unroll 32
  for (int i = 0; i < kCells; ++i) sum[i] = fill(0.0f);
  for (int64_t image = 0; image < s.images; ++image)
    for (int64_t row = 0; row < s.rows; ++row) {
      const float* x = s.x + image * s.x_image + row * s.x_row;
      const float* gy = s.gy + image * s.gy_image + row * s.gy_row;
      for (int64_t col = 0; col < s.cols; ++col, x += s.x_pixel, gy += kBlock) {
        const Block g = load(gy);
#pragma GCC unroll 32
        for (int i = 0; i < kCells; ++i) sum[i] = fma(fill(x[offsets[i]]), g, sum[i]);
      }
    }
#pragma GCC unroll 32
  for (int i = 0; i < kCells; ++i) store(sum[i], sums + i * kBlock);
}

using CellFunction = void (*)(const WeightSum&, const int64_t*, float*);
template <int... i>
constexpr std::array<CellFunction, sizeof...(i)> cell_table(std::integer_sequence<int, i...>) {
  return {sum_cells<i + 1>...};
}
constexpr auto kCell = cell_table(std::make_integer_sequence<int, kMaxCells>());

void SumCells(const WeightSum& s, std::span<const int64_t> offsets, float* sums) {
  const size_t calls = (offsets.size() + kMaxCells - 1) / kMaxCells;
  for (size_t i = 0, begin = 0; i < calls; ++i) {
    const size_t now = offsets.size() / calls + (i < offsets.size() % calls);
    kCell[now - 1](s, offsets.data() + begin, sums + begin * kBlock);
    begin += now;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(RunTask);
HWY_EXPORT(SumWeight);
HWY_EXPORT(SumCells);

namespace {

TapConvolution taps_of(const ConvSizes& s, Direction direction) {
  return direction == Direction::forward ? forward_taps(s) : vjp_input_taps(s);
}

// Floats of scratch from one thread's to the next one's: whole cache lines.
int64_t scratch_stride(const TapConvolution& t) { return round_up(t.scratch_size(), kBlock); }

}  // namespace

int64_t conv2d_packed_size(const ConvSizes& s, Direction direction) {
  return taps_of(s, direction).packed_size();
}

void conv2d_pack(const ConvSizes& s, Direction direction, const float* weight, float* packed) {
  pack_taps(taps_of(s, direction), weight, packed);
}

int64_t conv2d_workspace(const ConvSizes& s, Direction direction) {
  return scratch_stride(taps_of(s, direction)) * static_cast<int64_t>(sizeof(float)) * max_threads();
}

std::string conv2d_algorithm(const ConvSizes& s, Direction direction) {
  return describe_taps(taps_of(s, direction));
}

void convolve(const ConvSizes& s, Direction direction, const float* from, const float* packed,
              const float* bias, const Epilogue& epilogue, const float* residual, float* to, void* record,
              std::span<std::byte> workspace) {
  const TapConvolution t = taps_of(s, direction);
  const int64_t stride = scratch_stride(t);
  if (static_cast<int64_t>(workspace.size()) < stride * static_cast<int64_t>(sizeof(float)) * max_threads())
    throw Error("a convolution's workspace is too small: it was sized for fewer threads than " +
                std::to_string(max_threads()));
  const TapCall call{t, from, packed, bias, epilogue, residual, to, record};
  auto* scratch = reinterpret_cast<float*>(workspace.data());
  const int64_t tasks = t.tasks_per_image();
  const auto run = HWY_DYNAMIC_DISPATCH(RunTask);
  parallel_for(t.n * tasks, [&](int64_t i) {
    const Phase* phase = t.phases.data();
    int64_t task = i % tasks;
    for (; task >= phase->tasks(); ++phase) task -= phase->tasks();
    run(call, i / tasks, *phase, task, scratch + thread_index() * stride);
  });
}

void conv2d_vjp_weight(const ConvSizes& s, const float* x, const float* gy, float* gw) {
  const std::vector<Step> steps = make_steps(s.c, s.k, s.groups, false, nullptr);
  const int64_t kernel_cells = s.kernel.h * s.kernel.w, group_c = s.group_c();
  // Blocks of input channels that a step reads: the most, as the first and last may be partial.
  const int64_t c_blocks = std::min(blocks(s.c), group_c / kBlock + 2);
  const int64_t x_block = s.h * s.w * kBlock, gy_block = s.oh * s.ow * kBlock;
  const auto step_count = static_cast<int64_t>(steps.size());
  // Few channels: one task for all kernel cells, where every output sees all of them.
  constexpr int64_t kFew = 4;
  const bool together = group_c <= kFew && s.padding == Pair(0) &&
                        (s.oh - 1) * s.stride.h + (s.kernel.h - 1) * s.dilation.h < s.h &&
                        (s.ow - 1) * s.stride.w + (s.kernel.w - 1) * s.dilation.w < s.w;
  const int64_t cell_tasks = together ? 1 : kernel_cells, cells_per_task = kernel_cells / cell_tasks;
  // Vectors (linear): a task's 16 channels lie far apart from image to image, so all outputs read them while
  // they are near.
  const bool vectors = s.h * s.w * kernel_cells == 1;

  parallel_for(step_count * c_blocks * cell_tasks, [&](int64_t i) {
    const int64_t step_index = vectors ? i % step_count : i / (c_blocks * cell_tasks);
    const int64_t c_index = vectors ? i / step_count : i / cell_tasks % c_blocks;
    const Step& step = steps[static_cast<size_t>(step_index)];
    const int64_t c_block = step.c_begin / kBlock + c_index, cell0 = i % cell_tasks * cells_per_task;
    const int64_t c0 = std::max(step.c_begin, c_block * kBlock),
                  c1 = std::min(step.c_end, (c_block + 1) * kBlock), channels = c1 - c0;
    if (channels <= 0) return;
    const int64_t dh = cell0 / s.kernel.w * s.dilation.h - s.padding.h,
                  dw = cell0 % s.kernel.w * s.dilation.w - s.padding.w;
    const Range rows = outputs_inside(dh, s.stride.h, s.h, s.oh),
                cols = outputs_inside(dw, s.stride.w, s.w, s.ow);
    std::vector<float> sums(static_cast<size_t>(cells_per_task * channels * kBlock));
    if (rows.begin < rows.end && cols.begin < cols.end) {
      const int64_t ih = rows.begin * s.stride.h + dh, iw = cols.begin * s.stride.w + dw;
      const WeightSum sum{.x = x + c_block * x_block + (ih * s.w + iw) * kBlock + c0 % kBlock,
                          .gy = gy + step.k_block * gy_block + (rows.begin * s.ow + cols.begin) * kBlock,
                          .x_image = blocks(s.c) * x_block,
                          .x_row = s.stride.h * s.w * kBlock,
                          .x_pixel = s.stride.w * kBlock,
                          .gy_image = blocks(s.k) * gy_block,
                          .gy_row = s.ow * kBlock,
                          .images = s.n,
                          .rows = rows.end - rows.begin,
                          .cols = cols.end - cols.begin};
      if (together) {
        std::vector<int64_t> offsets;
        for (int64_t cell = 0; cell < kernel_cells; ++cell)
          for (int64_t c = 0; c < channels; ++c)
            offsets.push_back(
                (cell / s.kernel.w * s.dilation.h * s.w + cell % s.kernel.w * s.dilation.w) * kBlock + c);
        HWY_DYNAMIC_DISPATCH(SumCells)(sum, offsets, sums.data());
      } else {
        HWY_DYNAMIC_DISPATCH(SumWeight)(sum, channels, sums.data());
      }
    }
    for (int64_t lane = 0; lane < kBlock; ++lane)
      if (step.lanes >> lane & 1)
        for (int64_t j = 0; j < cells_per_task * channels; ++j) {
          const int64_t cell = cell0 + j / channels, c = c0 - step.c_begin + j % channels;
          gw[((step.k_block * kBlock + lane) * group_c + c) * kernel_cells + cell] =
              sums[static_cast<size_t>(j * kBlock + lane)];
        }
  });
}

void conv2d_vjp_bias(int64_t n, int64_t k, int64_t pixels, const float* gy, float* gb) {
  parallel_for(blocks(k), [=](int64_t kb) {
    float sums[kBlock] = {};
    for (int64_t image = 0; image < n; ++image) {
      const float* cells = gy + (image * blocks(k) + kb) * pixels * kBlock;
      for (int64_t i = 0; i < pixels; ++i)
        for (int64_t lane = 0; lane < kBlock; ++lane) sums[lane] += cells[i * kBlock + lane];
    }
    std::copy_n(sums, std::min(kBlock, k - kb * kBlock), gb + kb * kBlock);
  });
}

}  // namespace loupe::cpu
#endif
