// Winograd's F(4×4, 3×3): winograd.h has the formulas. A task takes a few tens of tiles, of several images
// where maps are small, through all three steps: 36 planes of transformed inputs (block, tile, 16), their
// products with the weights, and the outputs. So weights are read once for all its tiles.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/winograd/winograd.cpu.cpp"
#include "kernels/conv2d/winograd/winograd.h"
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set
#include "hwy/highway.h"

#include <algorithm>

#include "kernels/common/block-inl.h"
#include "kernels/common/parallel.h"
#include "kernels/conv2d/direct/tile-inl.h"
#include "kernels/elementwise/epilogue-inl.h"

#ifndef LOUPE_WINOGRAD_ONCE
#define LOUPE_WINOGRAD_ONCE
namespace loupe::cpu {
namespace {

constexpr int kPoints = 6, kPlanes = 36, kOut = 4;

// One pass: a map of `in_c` channels to one of `out_c`, whose output (0, 0) begins at input cell (−pad).
struct Winograd {
  int64_t n, in_c, in_h, in_w, out_c, out_h, out_w;
  Pair pad;

  int64_t tiles_down() const { return ceil_div(out_h, kOut); }
  int64_t tiles_across() const { return ceil_div(out_w, kOut); }
  int64_t tiles() const { return n * tiles_down() * tiles_across(); }
};

// The place of a tile: its image and its first output.
struct Place {
  int64_t image, row, col;
};
inline Place place_of(const Winograd& s, int64_t tile) {
  const int64_t across = s.tiles_across(), image = s.tiles_down() * across;
  return {tile / image, tile % image / across * kOut, tile % across * kOut};
}

// Floats from one plane of `blocks` × `tiles` to the next. One line more than they take, or all 36 would
// share a set of the cache.
inline int64_t plane_stride(int64_t channels, int64_t tiles) {
  return (blocks(channels) * tiles + 1) * kBlock;
}

}  // namespace
}  // namespace loupe::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

using cpu::kOut;
using cpu::kPlanes;
using cpu::kPoints;
using cpu::Winograd;

HWY_INLINE Block subtract(const Block& a, const Block& b) {
  Block r;
  for (int i = 0; i < kVectors; ++i) r.v[i] = hn::Sub(a.v[i], b.v[i]);
  return r;
}
HWY_INLINE Block fma(const Block& a, float b, const Block& c) { return fma(a, fill(b), c); }

// Bᵀ d, in place, of 6 values `step` blocks apart.
HWY_INLINE void transform_input(Block* d, int step) {
  const Block d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const Block even = fma(d2, -4, d4), odd = fma(d1, -4, d3), even2 = subtract(d4, d2),
              odd2 = subtract(d3, d1);
  d[0] = fma(d0, 4, fma(d2, -5, d4));
  d[step] = add(even, odd);
  d[2 * step] = subtract(even, odd);
  d[3 * step] = fma(odd2, 2, even2);
  d[4 * step] = fma(odd2, -2, even2);
  d[5 * step] = fma(d1, 4, fma(d3, -5, d5));
}

// Aᵀ m: 6 values to 4.
HWY_INLINE void transform_output(const Block* m, int step, Block* y, int to_step) {
  const Block sum = add(m[step], m[2 * step]), difference = subtract(m[step], m[2 * step]);
  const Block sum2 = add(m[3 * step], m[4 * step]), difference2 = subtract(m[3 * step], m[4 * step]);
  y[0] = add(m[0], add(sum, sum2));
  y[to_step] = fma(difference2, 2, difference);
  y[2 * to_step] = fma(sum2, 4, sum);
  y[3 * to_step] = add(m[5 * step], fma(difference2, 8, difference));
}

// A g: 4 values to 6, the adjoint of that.
HWY_INLINE void transform_gradient(const Block* g, int step, Block* to, int to_step) {
  const Block g0 = g[0], g1 = g[step], g2 = g[2 * step], g3 = g[3 * step];
  const Block even = add(g0, g2), odd = add(g1, g3), even2 = fma(g2, 4, g0), odd2 = fma(g3, 4, g1);
  to[0] = g0;
  to[to_step] = add(even, odd);
  to[2 * to_step] = subtract(even, odd);
  to[3 * to_step] = fma(odd2, 2, even2);
  to[4 * to_step] = fma(odd2, -2, even2);
  to[5 * to_step] = g3;
}

// kSize × kSize cells of a plane (h, w, 16) from (row, col) on, zeros outside.
template <int kSize>
HWY_INLINE void gather(const float* plane, int64_t h, int64_t w, int64_t row, int64_t col, Block* to) {
  for (int r = 0; r < kSize; ++r)
    for (int q = 0; q < kSize; ++q) {
      const bool inside = row + r >= 0 && row + r < h && col + q >= 0 && col + q < w;
      to[r * kSize + q] = inside ? load(plane + ((row + r) * w + col + q) * kBlock) : fill(0.0f);
    }
}

// v[plane][block][tile][16]: of the `count` tiles there, which begin at tile `begin`, those in [first, last).
void InputTiles(const Winograd& s, const float* x, int64_t begin, int64_t count, int64_t first, int64_t last,
                float* v, int64_t v_plane) {
  const int64_t map = s.in_h * s.in_w * kBlock, in_blocks = blocks(s.in_c);
  for (int64_t b = 0; b < in_blocks; ++b)
    for (int64_t t = first; t < last; ++t) {
      const cpu::Place at = cpu::place_of(s, begin + t);
      Block d[kPlanes];
      gather<kPoints>(x + (at.image * in_blocks + b) * map, s.in_h, s.in_w, at.row - s.pad.h,
                      at.col - s.pad.w, d);
      for (int i = 0; i < kPoints; ++i) transform_input(d + i, kPoints);
      for (int i = 0; i < kPoints; ++i) transform_input(d + i * kPoints, 1);
      float* to = v + (b * count + t) * kBlock;
      for (int i = 0; i < kPlanes; ++i) store(d[i], to + i * v_plane);
    }
}

// The same of gradients, A gy Aᵀ.
void GradientTiles(const Winograd& s, const float* gy, int64_t begin, int64_t count, int64_t first,
                   int64_t last, float* v, int64_t v_plane) {
  const int64_t map = s.out_h * s.out_w * kBlock, out_blocks = blocks(s.out_c);
  for (int64_t b = 0; b < out_blocks; ++b)
    for (int64_t t = first; t < last; ++t) {
      const cpu::Place at = cpu::place_of(s, begin + t);
      Block g[kOut * kOut], half[kPoints * kOut], all[kPlanes];
      gather<kOut>(gy + (at.image * out_blocks + b) * map, s.out_h, s.out_w, at.row, at.col, g);
      for (int i = 0; i < kOut; ++i) transform_gradient(g + i, kOut, half + i, kOut);
      for (int i = 0; i < kPoints; ++i) transform_gradient(half + i * kOut, 1, all + i * kPoints, 1);
      float* to = v + (b * count + t) * kBlock;
      for (int i = 0; i < kPlanes; ++i) store(all[i], to + i * v_plane);
    }
}

// m[plane][block][tile][16] = Σ_c v · weights, a product a plane.
void Products(const Winograd& s, const float* v, int64_t v_plane, const float* weights, int64_t count,
              float* m, int64_t m_plane) {
  const int64_t out_blocks = blocks(s.out_c), calls = ceil_div(count, kMaxPixels), no_offset = 0;
  for (int plane = 0; plane < kPlanes; ++plane)
    for (int64_t block = 0; block < out_blocks; block += kMaxBlocks) {
      const auto now = static_cast<size_t>(std::min<int64_t>(kMaxBlocks, out_blocks - block));
      Tile tile{};
      tile.in = v + plane * v_plane;
      tile.in_pixel = kBlock;
      tile.in_block = count * kBlock;
      tile.taps = &no_offset;
      tile.tap_count = 1;
      tile.c_end = s.in_c;
      tile.weights = weights + (plane * out_blocks + block) * s.in_c * kBlock;
      tile.weights_block = s.in_c * kBlock;
      tile.out = m + plane * m_plane + block * count * kBlock;
      tile.out_pixel = kBlock;
      tile.out_block = count * kBlock;
      for (int64_t i = 0; i < calls; ++i) {
        const int64_t pixels = count / calls + (i < count % calls);
        kDense[now - 1][static_cast<size_t>(pixels - 1)](tile);
        tile.in += pixels * kBlock;
        tile.out += pixels * kBlock;
      }
    }
}

void OutputTiles(const Winograd& s, const float* m, int64_t m_plane, int64_t begin, int64_t count,
                 const float* bias, const Epilogue& epilogue, const float* residual, float* y, void* record) {
  const int64_t map = s.out_h * s.out_w * kBlock, out_blocks = blocks(s.out_c);
  for (int64_t b = 0; b < out_blocks; ++b)
    for (int64_t t = 0; t < count; ++t) {
      const cpu::Place at = cpu::place_of(s, begin + t);
      const int64_t rows = std::min<int64_t>(kOut, s.out_h - at.row);
      const int64_t cols = std::min<int64_t>(kOut, s.out_w - at.col);
      const float* from = m + (b * count + t) * kBlock;
      Block planes[kPlanes], half[kOut * kPoints], outputs[kOut * kOut];
      for (int i = 0; i < kPlanes; ++i) planes[i] = load(from + i * m_plane);
      for (int i = 0; i < kPoints; ++i) transform_output(planes + i, kPoints, half + i, kPoints);
      for (int i = 0; i < kOut; ++i) transform_output(half + i * kPoints, 1, outputs + i * kOut, 1);
      alignas(64) float sums[kOut * kOut * kBlock];
      const Block shift = bias ? load(bias + b * kBlock) : fill(0.0f);
      for (int i = 0; i < kOut * kOut; ++i) store(add(outputs[i], shift), sums + i * kBlock);
      const int64_t used = std::min(kBlock, s.out_c - b * kBlock);
      const auto lanes = static_cast<uint16_t>((1u << used) - 1);
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t cell = (at.image * out_blocks + b) * map + ((at.row + row) * s.out_w + at.col) * kBlock;
        finish_cells(epilogue, {.from = sums + row * kOut * kBlock,
                                .residual = residual,
                                .to = y,
                                .record = record,
                                .offset = cell,
                                .cells = cols,
                                .lanes = lanes});
      }
    }
}

// Adds Σ_tiles x-channel · gy-lane of one plane and output block to sums[channel][16].
void AddProducts(const float* v, const float* g, int64_t channels, int64_t count, float* sums) {
  for (int64_t c = 0; c < channels; c += kBlock) {
    const int64_t now = std::min(kBlock, channels - c);
    WeightSum sum{};
    sum.x = v + c * count;
    sum.gy = g;
    sum.x_pixel = kBlock;
    sum.images = sum.rows = 1;
    sum.cols = count;
    alignas(64) float part[kBlock * kBlock];
    SumWeight(sum, now, part);
    for (int64_t i = 0; i < now * kBlock; i += kBlock)
      store(add(load(sums + c * kBlock + i), load(part + i)), sums + c * kBlock + i);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe::cpu {
HWY_EXPORT(InputTiles);
HWY_EXPORT(GradientTiles);
HWY_EXPORT(Products);
HWY_EXPORT(OutputTiles);
HWY_EXPORT(AddProducts);

namespace {

constexpr int64_t kTaskTiles = 28;
// vjp_weight sums over stretches of tiles, one after the other, which all threads transform and multiply.
constexpr int64_t kStretchTiles = 128, kTilesAtATime = 8;

constexpr float kG[kPoints][3] = {{1.0f / 4, 0, 0},
                                  {-1.0f / 6, -1.0f / 6, -1.0f / 6},
                                  {-1.0f / 6, 1.0f / 6, -1.0f / 6},
                                  {1.0f / 24, 1.0f / 12, 1.0f / 6},
                                  {1.0f / 24, -1.0f / 12, 1.0f / 6},
                                  {0, 0, 1}};

Winograd pass_of(const ConvSizes& s, Direction direction) {
  if (direction == Direction::vjp_input)
    return {s.n, s.k, s.oh, s.ow, s.c, s.h, s.w, {2 - s.padding.h, 2 - s.padding.w}};
  return {s.n, s.c, s.h, s.w, s.k, s.oh, s.ow, s.padding};
}

int64_t task_tiles(const Winograd& s) { return std::min(kTaskTiles, s.tiles()); }
int64_t stretch_tiles(const Winograd& s) { return std::min(kStretchTiles, s.tiles()); }
int64_t planes(int64_t channels, int64_t tiles) { return kPlanes * plane_stride(channels, tiles); }

int64_t task_floats(const Winograd& s) {
  return planes(s.in_c, task_tiles(s)) + planes(s.out_c, task_tiles(s));
}
int64_t gradient_floats(const Winograd& s) { return kPlanes * blocks(s.out_c) * s.in_c * kBlock; }

void expect(std::span<std::byte> workspace, int64_t floats) {
  if (static_cast<int64_t>(workspace.size()) < floats * static_cast<int64_t>(sizeof(float)))
    throw Error("a convolution's workspace is too small: it was sized for fewer threads than " +
                std::to_string(max_threads()));
}

}  // namespace

bool winograd_fits(const ConvSizes& s) {
  return s.kernel == Pair(3) && s.stride == Pair(1) && s.dilation == Pair(1) && s.groups == 1 &&
         s.padding.h <= 2 && s.padding.w <= 2 && s.c >= kBlock && s.k >= kBlock;
}

int64_t winograd_packed_size(const ConvSizes& s, Direction direction) {
  const Winograd w = pass_of(s, direction);
  return kPlanes * blocks(w.out_c) * w.in_c * kBlock;
}

// (plane, output block, input channel, 16)
void winograd_pack(const ConvSizes& s, Direction direction, const float* weight, float* packed) {
  const Winograd w = pass_of(s, direction);
  const bool back = direction == Direction::vjp_input;
  const int64_t plane = blocks(w.out_c) * w.in_c * kBlock;
  parallel_for(blocks(w.out_c), [&](int64_t block) {
    for (int64_t in = 0; in < w.in_c; ++in) {
      float g[9][kBlock] = {}, half[kPoints * 3][kBlock];
      for (int64_t lane = 0; lane < std::min(kBlock, w.out_c - block * kBlock); ++lane) {
        const int64_t out = block * kBlock + lane;
        const float* from = weight + (back ? in * s.c + out : out * s.c + in) * 9;
        for (int i = 0; i < 9; ++i) g[i][lane] = from[back ? 8 - i : i];
      }
      for (int p = 0; p < kPoints; ++p)
        for (int q = 0; q < 3; ++q)
          for (int64_t lane = 0; lane < kBlock; ++lane)
            half[p * 3 + q][lane] =
                kG[p][0] * g[q][lane] + kG[p][1] * g[3 + q][lane] + kG[p][2] * g[6 + q][lane];
      float* to = packed + (block * w.in_c + in) * kBlock;
      for (int p = 0; p < kPoints; ++p)
        for (int q = 0; q < kPoints; ++q)
          for (int64_t lane = 0; lane < kBlock; ++lane)
            to[(p * kPoints + q) * plane + lane] = kG[q][0] * half[p * 3][lane] +
                                                   kG[q][1] * half[p * 3 + 1][lane] +
                                                   kG[q][2] * half[p * 3 + 2][lane];
    }
  });
}

int64_t winograd_workspace(const ConvSizes& s, Direction direction) {
  const Winograd w = pass_of(s, direction);
  const int64_t floats =
      direction == Direction::vjp_weight
          ? planes(w.in_c, stretch_tiles(w)) + planes(w.out_c, stretch_tiles(w)) + gradient_floats(w)
          : task_floats(w) * max_threads();
  return floats * static_cast<int64_t>(sizeof(float));
}

void winograd_convolve(const ConvSizes& s, Direction direction, const float* from, const float* packed,
                       const float* bias, const Epilogue& epilogue, const float* residual, float* to,
                       void* record, std::span<std::byte> workspace) {
  const Winograd w = pass_of(s, direction);
  expect(workspace, task_floats(w) * max_threads());
  // Tasks as even as can be, and as many for each thread.
  const int64_t tasks = std::min(w.tiles(), round_up(ceil_div(w.tiles(), kTaskTiles), max_threads()));
  const auto inputs = HWY_DYNAMIC_DISPATCH(InputTiles);
  const auto products = HWY_DYNAMIC_DISPATCH(Products);
  const auto outputs = HWY_DYNAMIC_DISPATCH(OutputTiles);
  parallel_for(tasks, [&](int64_t i) {
    const int64_t begin = i * w.tiles() / tasks, count = (i + 1) * w.tiles() / tasks - begin;
    const int64_t v_plane = plane_stride(w.in_c, count), m_plane = plane_stride(w.out_c, count);
    float* v = reinterpret_cast<float*>(workspace.data()) + thread_index() * task_floats(w);
    float* m = v + kPlanes * v_plane;
    inputs(w, from, begin, count, 0, count, v, v_plane);
    products(w, v, v_plane, packed, count, m, m_plane);
    outputs(w, m, m_plane, begin, count, bias, epilogue, residual, to, record);
  });
}

void winograd_vjp_weight(const ConvSizes& s, const float* x, const float* gy, float* gw,
                         std::span<std::byte> workspace) {
  const Winograd w = pass_of(s, Direction::forward);
  const int64_t stretch = stretch_tiles(w), out_blocks = blocks(w.out_c);
  const int64_t v_plane = plane_stride(w.in_c, stretch), g_plane = plane_stride(w.out_c, stretch);
  expect(workspace, kPlanes * (v_plane + g_plane) + gradient_floats(w));
  float* v = reinterpret_cast<float*>(workspace.data());
  float *g = v + kPlanes * v_plane,
        *sums = g + kPlanes * g_plane;  // sums: (plane, output block, channel, 16)
  std::fill_n(sums, gradient_floats(w), 0.0f);
  const auto inputs = HWY_DYNAMIC_DISPATCH(InputTiles);
  const auto gradients = HWY_DYNAMIC_DISPATCH(GradientTiles);
  const auto add = HWY_DYNAMIC_DISPATCH(AddProducts);
  for (int64_t begin = 0; begin < w.tiles(); begin += stretch) {
    const int64_t count = std::min(stretch, w.tiles() - begin);
    parallel_for(ceil_div(count, kTilesAtATime), [&](int64_t i) {
      const int64_t first = i * kTilesAtATime, last = std::min(count, first + kTilesAtATime);
      inputs(w, x, begin, count, first, last, v, v_plane);
      gradients(w, gy, begin, count, first, last, g, g_plane);
    });
    parallel_for(kPlanes * out_blocks, [&](int64_t i) {
      const int64_t plane = i / out_blocks, block = i % out_blocks;
      add(v + plane * v_plane, g + plane * g_plane + block * count * kBlock, w.in_c, count,
          sums + i * w.in_c * kBlock);
    });
  }
  const int64_t plane = out_blocks * w.in_c * kBlock;
  parallel_for(out_blocks * w.in_c, [&](int64_t i) {
    const int64_t block = i / w.in_c, c = i % w.in_c;
    float half[3 * kPoints][kBlock] = {}, result[9][kBlock] = {};
    for (int r = 0; r < 3; ++r)
      for (int p = 0; p < kPoints; ++p)
        for (int q = 0; q < kPoints; ++q)
          for (int64_t lane = 0; lane < kBlock; ++lane)
            half[r * kPoints + q][lane] += kG[p][r] * sums[(p * kPoints + q) * plane + i * kBlock + lane];
    for (int r = 0; r < 3; ++r)
      for (int t = 0; t < 3; ++t)
        for (int q = 0; q < kPoints; ++q)
          for (int64_t lane = 0; lane < kBlock; ++lane)
            result[r * 3 + t][lane] += kG[q][t] * half[r * kPoints + q][lane];
    for (int64_t lane = 0; lane < std::min(kBlock, w.out_c - block * kBlock); ++lane)
      for (int j = 0; j < 9; ++j) gw[((block * kBlock + lane) * w.in_c + c) * 9 + j] = result[j][lane];
  });
}

}  // namespace loupe::cpu
#endif
