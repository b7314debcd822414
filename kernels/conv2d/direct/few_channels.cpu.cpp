#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/direct/few_channels.cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"

#include <algorithm>

#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"
#include "kernels/conv2d/direct/few_channels.h"
#include "kernels/conv2d/direct/tile-inl.h"
#include "kernels/elementwise/epilogue-inl.h"

#ifndef LOUPE_FEW_CHANNELS_ONCE
#define LOUPE_FEW_CHANNELS_ONCE
namespace loupe::cpu {

// How one pass is cut. Rows of gx are made in a frame of padding, C numbers a cell.
struct FewChannels {
  explicit FewChannels(const ConvSizes& of)
      : s(of),
        run(s.kernel.w * s.c),
        lane_blocks(blocks(s.kernel.h * run)),
        frame_w(std::max((s.ow - 1) * s.stride.w + s.kernel.w, s.w + s.padding.w)) {
    // Rows of gy at the border of two tasks are multiplied in both.
    const int64_t most = std::clamp<int64_t>(16 * (s.kernel.h - 1) * s.dilation.h, 16, 64);
    row_tasks = ceil_div(s.h, most);
    if (row_tasks > 1) row_tasks = round_up(row_tasks, 4);
    rows_per_task = ceil_div(s.h, row_tasks);
    row_tasks = ceil_div(s.h, rows_per_task);
  }
  // Of cells of gy whose runs do not overlap.
  int64_t rounds() const { return ceil_div(s.kernel.w, s.stride.w); }
  int64_t frame_size() const { return round_up(rows_per_task * frame_w * s.c, kBlock) + kBlock; }
  int64_t product_size() const { return (s.ow * lane_blocks + 1) * kBlock; }

  ConvSizes s;
  int64_t run, lane_blocks, frame_w;
  int64_t row_tasks, rows_per_task;
};

struct FewChannelsCall {
  FewChannels how;
  const float* gy;
  const float* packed;
  const float* bias;  // padded to a whole block, or null
  Epilogue epilogue;
  const float* residual;
  float* gx;
  void* record;
};

}  // namespace loupe::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other ops' functions of the same name would merge with these

using cpu::FewChannels;
using cpu::FewChannelsCall;

// to[i] += from[i] for i < count; up to 15 numbers behind are read, and written as they were.
HWY_INLINE void add_run(const float* from, float* to, int64_t count) {
  const D d;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  if (i == count) return;
  const Vec old = hn::LoadU(d, to + i);
  const auto rest = hn::FirstN(d, static_cast<size_t>(count - i));
  hn::StoreU(hn::IfThenElse(rest, hn::Add(old, hn::LoadU(d, from + i)), old), d, to + i);
}

// A row of gy times the weights: (cell, lane).
void multiply_row(const FewChannelsCall& c, int64_t image, int64_t row, float* product) {
  const FewChannels& how = c.how;
  const ConvSizes& s = how.s;
  const int64_t no_offset = 0, plane = s.oh * s.ow * kBlock, tiles = ceil_div(s.ow, kMaxPixels);
  Tile tile{};
  tile.in_pixel = kBlock;
  tile.in_block = plane;
  tile.taps = &no_offset;
  tile.tap_count = 1;
  tile.c_end = s.k;
  tile.weights_block = s.k * kBlock;
  tile.out_pixel = how.lane_blocks * kBlock;
  tile.out_block = kBlock;
  for (int64_t b = 0; b < how.lane_blocks; b += kMaxBlocks) {
    const auto now = static_cast<int>(std::min<int64_t>(kMaxBlocks, how.lane_blocks - b));
    tile.weights = c.packed + b * tile.weights_block;
    tile.in = c.gy + image * blocks(s.k) * plane + row * s.ow * kBlock;
    tile.out = product + b * kBlock;
    for (int64_t i = 0; i < tiles; ++i) {
      const auto pixels = static_cast<int>(s.ow / tiles + (i < s.ow % tiles));
      kDense[now - 1][static_cast<size_t>(pixels - 1)](tile);
      tile.in += pixels * kBlock;
      tile.out += pixels * tile.out_pixel;
    }
  }
}

// Rows of the frame become rows of gx.
void finish_rows(const FewChannelsCall& c, int64_t image, int64_t begin, int64_t end, const float* frame) {
  const ConvSizes& s = c.how.s;
  constexpr int64_t kCells = 32;
  alignas(64) float cells[kCells * kBlock] = {};
  for (int64_t y = begin; y < end; ++y) {
    const float* row = frame + ((y - begin) * c.how.frame_w + s.padding.w) * s.c;
    for (int64_t x = 0; x < s.w; x += kCells) {
      const int64_t count = std::min(kCells, s.w - x);
      for (int64_t i = 0; i < count; ++i)
        for (int64_t lane = 0; lane < s.c; ++lane) cells[i * kBlock + lane] = row[(x + i) * s.c + lane];
      finish_cells(c.epilogue, {.from = cells,
                                .residual = c.residual,
                                .to = c.gx,
                                .record = c.record,
                                .offset = ((image * s.h + y) * s.w + x) * kBlock,
                                .cells = count,
                                .lanes = static_cast<uint16_t>((1u << s.c) - 1)});
    }
  }
}

// scratch: frame_size() + product_size() floats.
void FewChannelsTask(const FewChannelsCall& c, int64_t image, int64_t task, float* scratch) {
  const FewChannels& how = c.how;
  const ConvSizes& s = how.s;
  const int64_t begin = task * how.rows_per_task, end = std::min(s.h, begin + how.rows_per_task);
  float *frame = scratch, *product = scratch + how.frame_size();
  std::fill_n(frame, how.frame_size(), 0.0f);
  if (c.bias)
    for (int64_t i = 0; i < (end - begin) * how.frame_w; ++i) std::copy_n(c.bias, s.c, frame + i * s.c);
  std::fill_n(product + s.ow * how.lane_blocks * kBlock, kBlock, 0.0f);
  const int64_t reach = (s.kernel.h - 1) * s.dilation.h;
  const int64_t first =
      std::max<int64_t>(0, ceil_div(std::max<int64_t>(0, begin + s.padding.h - reach), s.stride.h));
  // Neighbours whose runs overlap are added in different rounds, so that no sum waits for the one before.
  const int64_t rounds = how.rounds(), cell = how.lane_blocks * kBlock;
  for (int64_t row = first; row < s.oh && row * s.stride.h - s.padding.h < end; ++row) {
    multiply_row(c, image, row, product);
    for (int64_t r = 0; r < s.kernel.h; ++r) {
      const int64_t y = row * s.stride.h - s.padding.h + r * s.dilation.h;
      if (y < begin || y >= end) continue;
      float* to = frame + (y - begin) * how.frame_w * s.c;
      for (int64_t round = 0; round < rounds; ++round)
        for (int64_t x = round; x < s.ow; x += rounds)
          add_run(product + x * cell + r * how.run, to + x * s.stride.w * s.c, how.run);
    }
  }
  finish_rows(c, image, begin, end, frame);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(FewChannelsTask);

namespace {
int64_t scratch_of_thread(const FewChannels& how) {
  return round_up(how.frame_size() + how.product_size(), kBlock);
}
}  // namespace

bool few_channels_fits(const ConvSizes& s) {
  return s.groups == 1 && s.c <= 8 && s.kernel.h * s.kernel.w > 1 && s.dilation.w == 1 && s.oh * s.ow > 0;
}

int64_t few_channels_period(const ConvSizes& s) { return FewChannels(s).rounds() * s.stride.w; }

int64_t few_channels_packed_size(const ConvSizes& s) { return FewChannels(s).lane_blocks * s.k * kBlock; }

// (lane block, channel of gy, 16 lanes), lanes in the order kernel row, kernel column, input channel.
void few_channels_pack(const ConvSizes& s, const float* weight, float* packed) {
  const int64_t cells = s.kernel.h * s.kernel.w;
  std::fill_n(packed, few_channels_packed_size(s), 0.0f);
  for (int64_t k = 0; k < s.k; ++k)
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t cell = 0; cell < cells; ++cell) {
        const int64_t lane = cell * s.c + c;
        packed[(lane / kBlock * s.k + k) * kBlock + lane % kBlock] = weight[(k * s.c + c) * cells + cell];
      }
}

int64_t few_channels_workspace(const ConvSizes& s) {
  return scratch_of_thread(FewChannels(s)) * static_cast<int64_t>(sizeof(float)) * max_threads();
}

void few_channels_vjp_input(const ConvSizes& s, const float* gy, const float* packed, const float* bias,
                            const Epilogue& epilogue, const float* residual, float* gx, void* record,
                            std::span<std::byte> workspace) {
  if (static_cast<int64_t>(workspace.size()) < few_channels_workspace(s))
    throw Error("a convolution's workspace is too small: it was sized for fewer threads than " +
                std::to_string(max_threads()));
  const FewChannelsCall call{FewChannels(s), gy, packed, bias, epilogue, residual, gx, record};
  auto* scratch = reinterpret_cast<float*>(workspace.data());
  const int64_t stride = scratch_of_thread(call.how), tasks = call.how.row_tasks;
  const auto run = HWY_DYNAMIC_DISPATCH(FewChannelsTask);
  parallel_for(s.n * tasks,
               [&](int64_t i) { run(call, i / tasks, i % tasks, scratch + thread_index() * stride); });
}

}  // namespace loupe::cpu
#endif  // HWY_ONCE
