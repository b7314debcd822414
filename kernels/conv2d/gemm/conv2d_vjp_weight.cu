// The gradients of a convolution's parameters: sums over every pixel of the batch.
//
//   gw[m, (c,r,q)] = Σ_p gy[m, p] · x[c, cell of p under tap (r,q)]      p = (n, oh, ow), in this order
//   gb[m]          = Σ_p gy[m, p]
//
// gw is a matrix product as in conv2d.cu with the pixels as the long side, and the same tiles. Eight lanes
// take eight neighbouring pixels, so that a copy reads whole sectors of gy and (with stride 1) of x, and four
// rows or columns beside them; the padded rows of a slab take all 32 values without a bank conflict. Weights
// of small groups, and gb, are one block's sum each: threads take pixels in turn, warps add up by shuffles,
// and the warps' sums are added in order. Nothing is added atomically, so the order follows from the shape; n
// only makes the sums longer.
//
// Floor: macs multiply-adds; to read x and gy once and write gw once. Registers by nvcc 13.0 for sm_80 and
// sm_90a; 2 048 bytes of the shared memory (for 64 columns: 1 024) are a table of the columns:
//
//   tile       threads   shared memory   registers
//   128 × 128  256       27 392 bytes    168, 164
//   64 × 64    64        14 080 bytes    165, 163
//   32 × 64    32        11 008 bytes    168, 168
//   direct     128       16 bytes        38, 40       a block for each weight of small groups
//   bias       128       16 bytes        31, 31       a block for each channel
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/gemm/gemm_tile.h"
#include "kernels/device/export.h"

namespace loupe::LOUPE_TARGET {

namespace {

struct WeightGradient {
  int n, groups, group_c, group_k;
  int h, w, oh, ow;
  int kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;

  LOUPE_DEVICE int cols() const { return group_c * kernel_h * kernel_w; }
};

/// What a column (channel, tap) adds to a pixel's place in x.
struct Column {
  int64_t element;
  int h, w;
};
LOUPE_DEVICE Column column_of(const WeightGradient& g, int col) {
  const Digits d = Digits::of(col, g.kernel_w, g.kernel_h);
  const int h = d.y * g.dilation_h - g.padding_h, w = d.x * g.dilation_w - g.padding_w;
  return {(int64_t{d.z} * g.h + h) * g.w + w, h, w};
}

template <int Cols>
struct Columns {
  Column of[Cols];
};

/// Queues the copies of one slab after another: its row k is a pixel.
template <typename Tile>
struct GatherPixels {
  static constexpr int kAtOnce = 4 * Tile::kWarps;  // rows or columns that the block copies at once

  const WeightGradient& g;
  const Columns<Tile::kCols>& columns;
  const float *x, *gy;  // at the group's first channel
  int first_row, rows, cols;
  Digits pixel, step;  // (ow, oh, n)
  const int k = lane_id() % 8,
            first = warp_id() * 4 + lane_id() / 8;  // the slab's row; the first row or column copied

  LOUPE_DEVICE void operator()(typename Tile::Slab& slab) {
    const bool inside = pixel.z < g.n;
    const int64_t map = int64_t{g.oh} * g.ow, at = int64_t{pixel.y} * g.ow + pixel.x;
    const float* gy_pixel = gy + (int64_t{pixel.z} * g.groups * g.group_k + first_row) * map + at;
    for (int row = first; row < Tile::kRows; row += kAtOnce) {
      const bool valid = inside && row < rows;
      if (Tile::row_is_read(row, rows))
        copy_async<4>(&slab.a[k][row], valid ? gy_pixel + row * map : gy, valid);
    }
    const int h = pixel.y * g.stride_h, w = pixel.x * g.stride_w;
    const float* x_image = x + int64_t{pixel.z} * g.groups * g.group_c * g.h * g.w;
    const int64_t x_pixel = int64_t{h} * g.w + w;
    for (int col = first; col < Tile::kCols; col += kAtOnce) {
      if (!Tile::col_is_read(col, cols)) continue;
      const Column& c = columns.of[col];
      const bool valid = inside && col < cols &&
                         static_cast<unsigned>(h + c.h) < static_cast<unsigned>(g.h) &&
                         static_cast<unsigned>(w + c.w) < static_cast<unsigned>(g.w);
      copy_async<4>(&slab.b[k][col], valid ? x_image + (x_pixel + c.element) : x, valid);
    }
    pixel.add(step, g.ow, g.oh);
  }
};

template <typename Tile>
LOUPE_KERNEL_FOR(Tile::kThreads, Tile::kBlocks)
weight_gradient_kernel(WeightGradient g, int row_tiles, const float* x, const float* gy, float* gw) {
  unsigned block = blockIdx.x;
  const int first_row = static_cast<int>(block % static_cast<unsigned>(row_tiles)) * Tile::kRows;
  block /= static_cast<unsigned>(row_tiles);
  const int group = static_cast<int>(block % static_cast<unsigned>(g.groups));
  const int first_col = static_cast<int>(block / static_cast<unsigned>(g.groups)) * Tile::kCols;
  const int rows = g.group_k - first_row, cols = g.cols() - first_col;

  auto& columns = shared_storage<Columns<Tile::kCols>>();
  for (int i = static_cast<int>(threadIdx.x); i < Tile::kCols; i += Tile::kThreads)
    columns.of[i] = column_of(g, first_col + i);
  sync_threads();

  GatherPixels<Tile> gather{g,
                            columns,
                            x + int64_t{group} * g.group_c * g.h * g.w,
                            gy + int64_t{group} * g.group_k * g.oh * g.ow,
                            first_row,
                            rows,
                            cols,
                            Digits::of(lane_id() % 8, g.ow, g.oh),
                            Digits::of(Tile::kDepth, g.ow, g.oh)};
  Tile tile(rows, cols);
  tile.accumulate((g.n * g.oh * g.ow + Tile::kDepth - 1) / Tile::kDepth, gather);

  float* at = gw + (int64_t{group} * g.group_k + first_row + tile.row) * g.cols() + first_col + tile.col;
  const bool vectors = g.cols() % 4 == 0;
  LOUPE_UNROLL
  for (int i = 0; i < 8; ++i) {
    const int row = i / 4 * 16 + i % 4;
    if (tile.row + row >= rows) continue;
    LOUPE_UNROLL
    for (int j = 0; j < 8; j += 4) {
      const int col = j / 4 * 32;
      float* four = at + int64_t{row} * g.cols() + col;
      if (vectors && tile.col + col < cols) {
        store_vector<4>(four,
                        Float4{{tile.sum[i][j], tile.sum[i][j + 1], tile.sum[i][j + 2], tile.sum[i][j + 3]}});
        continue;
      }
      LOUPE_UNROLL
      for (int e = 0; e < 4; ++e)
        if (tile.col + col + e < cols) four[e] = tile.sum[i][j + e];
    }
  }
}

// ---- one sum a block

constexpr int kSumThreads = 128;

/// The sum of every thread's value, in thread 0: a butterfly in each warp, then warp after warp.
LOUPE_DEVICE float block_sum(float value) {
  struct WarpSums {
    float of[kSumThreads / kWarp];
  };
  auto& sums = shared_storage<WarpSums>();
  value = warp_sum(value);
  if (lane_id() == 0) sums.of[warp_id()] = value;
  sync_threads();
  float sum = 0;
  if (threadIdx.x == 0)
    for (const float s : sums.of) sum += s;
  return sum;
}

LOUPE_KERNEL weight_gradient_direct_kernel(WeightGradient g, const float* x, const float* gy, float* gw) {
  const int k = static_cast<int>(blockIdx.x / static_cast<unsigned>(g.cols()));  // over all groups
  const int group = k / g.group_k;
  const Column c = column_of(g, static_cast<int>(blockIdx.x % static_cast<unsigned>(g.cols())));
  const float* map = x + int64_t{group} * g.group_c * g.h * g.w + c.element;
  float sum = 0;
  Digits pixel = Digits::of(static_cast<int>(threadIdx.x), g.ow, g.oh);
  const Digits step = Digits::of(kSumThreads, g.ow, g.oh);
  for (; pixel.z < g.n; pixel.add(step, g.ow, g.oh)) {
    const int h = pixel.y * g.stride_h, w = pixel.x * g.stride_w;
    if (h + c.h < 0 || h + c.h >= g.h || w + c.w < 0 || w + c.w >= g.w) continue;
    const int64_t y = (int64_t{pixel.z} * g.groups * g.group_k + k) * g.oh + pixel.y;
    const int64_t image = int64_t{pixel.z} * g.groups * g.group_c * g.h * g.w;
    sum = fused(gy[y * g.ow + pixel.x], map[image + int64_t{h} * g.w + w], sum);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) gw[blockIdx.x] = sum;
}

LOUPE_KERNEL bias_gradient_kernel(int64_t n, int64_t k, int64_t pixels, const float* gy, float* gb) {
  float sum = 0;
  for (int64_t image = 0; image < n; ++image) {
    const float* map = gy + (image * k + blockIdx.x) * pixels;
    for (int64_t i = threadIdx.x; i < pixels; i += kSumThreads) sum += map[i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) gb[blockIdx.x] = sum;
}

// ---- host

template <typename Tile>
void launch_tiles(Stream stream, const WeightGradient& g, const float* x, const float* gy, float* gw) {
  const int row_tiles = (g.group_k + Tile::kRows - 1) / Tile::kRows;
  const int64_t blocks =
      ceil_div(int64_t{g.group_c} * g.kernel_h * g.kernel_w, Tile::kCols) * row_tiles * g.groups;
  launch({{blocks_for(blocks, 1)}, {Tile::kThreads}, 0, stream}, weight_gradient_kernel<Tile>, g, row_tiles,
         x, gy, gw);
}

}  // namespace

void conv2d_vjp_weight(Stream stream, ConvSizes s, ConvTile tile, const float* x, const float* gy,
                       float* gw) {
  const auto count = [](int64_t value) { return device::conv2d_count<Failure>(value); };
  count(s.n * s.oh * s.ow);
  count(s.group_c() * s.kernel.h * s.kernel.w);
  count(s.h + 2 * s.padding.h + s.dilation.h * s.kernel.h);
  count(s.w + 2 * s.padding.w + s.dilation.w * s.kernel.w);
  const WeightGradient g{count(s.n),         count(s.groups),    count(s.group_c()),  count(s.group_k()),
                         count(s.h),         count(s.w),         count(s.oh),         count(s.ow),
                         count(s.kernel.h),  count(s.kernel.w),  count(s.stride.h),   count(s.stride.w),
                         count(s.padding.h), count(s.padding.w), count(s.dilation.h), count(s.dilation.w)};
  switch (tile) {
    case ConvTile::direct:
      return launch({{blocks_for(s.weight_size(), 1)}, {kSumThreads}, 0, stream},
                    weight_gradient_direct_kernel, g, x, gy, gw);
    case ConvTile::rows_32:
      return launch_tiles<GemmTile<1, 1>>(stream, g, x, gy, gw);
    case ConvTile::rows_64:
      return launch_tiles<GemmTile<2, 1>>(stream, g, x, gy, gw);
    case ConvTile::rows_128:
      return launch_tiles<GemmTile<4, 2>>(stream, g, x, gy, gw);
  }
}

void conv2d_vjp_bias(Stream stream, int64_t n, int64_t k, int64_t pixels, const float* gy, float* gb) {
  launch({{blocks_for(k, 1)}, {kSumThreads}, 0, stream}, bias_gradient_kernel, n, k, pixels, gy, gb);
}

LOUPE_EXPORT(conv2d_vjp_weight);
LOUPE_EXPORT(conv2d_vjp_bias);

}  // namespace loupe::LOUPE_TARGET
