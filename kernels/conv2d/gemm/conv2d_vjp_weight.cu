// The gradient of a convolution's weights: sums over every pixel of the batch.
//
//   gw[m, (c,r,q)] = Σ_p gy[m, p] · x[c, cell of p under tap (r,q)]      p = (n, oh, ow), in this order
//
// A matrix product as in conv2d.cu with the pixels as the long side, and the same tiles. Eight lanes take
// eight neighbouring pixels, so that a copy reads whole sectors of gy and (with stride 1) of x, and four rows
// or columns beside them; the padded rows of a slab take all 32 values without a bank conflict. Weights of
// small groups are one block's sum each: threads take pixels in turn, warps add up by shuffles, and the
// warps' sums are added in order. Nothing is added atomically, so the order follows from the shape.
//
// The pixels are cut into parts by the layer's shape alone (kernels/reduce/parts.h), or a GPU would have
// little to do. Of VGG-16 at a batch of 32 (parts_test.cpp computes it):
//
//   layer          sums           tiles   parts          blocks
//   features.0     64 × 27        2       49 an image    3136
//   features.2     64 × 576       9       14 an image    4032
//   features.5     128 × 576      18      7 an image     4032
//   features.7     128 × 1152     9       4 an image     1152
//   features.10    256 × 1152     18      2 an image     1152
//   features.12    256 × 2304     36      of 1 image     1152
//   features.17    512 × 2304     72      of 2 images    1152
//   features.19    512 × 4608     144     of 4 images    1152
//   features.24    512 × 4608     144     of 5 images    1008
//   classifier.0   4096 × 25088   6272    whole          6272
//   classifier.6   1000 × 4096    256     whole          256
//
// Floor: macs multiply-adds; to read x and gy once and write gw once. Registers by nvcc 13.0 for sm_80 and
// sm_90a; 2 048 bytes of the shared memory (for 64 columns: 1 024) are a table of the columns:
//
//   tile       threads   shared memory   registers
//   128 × 128  256       27 392 bytes    168, 168
//   64 × 64    64        14 080 bytes    167, 166
//   32 × 64    32        11 008 bytes    168, 166
//   direct     256       32 bytes        44, 48       a block for each weight of small groups
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/gemm/gemm_tile.h"
#include "kernels/device/export.h"
#include "kernels/reduce/sums.h"

namespace loupe::LOUPE_TARGET {

namespace {

struct WeightGradient {
  int groups, group_c, group_k;
  int h, w, oh, ow;
  int kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;

  /// Of the weight as a matrix, in all groups (group_k, cols()).
  LOUPE_DEVICE int cols() const { return group_c * kernel_h * kernel_w; }
  LOUPE_DEVICE int64_t weights() const { return int64_t{groups} * group_k * cols(); }
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
  int left;            // pixels of the part from the slab's first on
  Digits pixel, step;  // (ow, oh, n)
  const int k = lane_id() % 8,
            first = warp_id() * 4 + lane_id() / 8;  // the slab's row; the first row or column copied

  LOUPE_DEVICE void operator()(typename Tile::Slab& slab) {
    const bool inside = k < left;
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
    left -= Tile::kDepth;
  }
};

template <typename Tile>
LOUPE_KERNEL_FOR(Tile::kThreads, Tile::kBlocks)
weight_gradient_kernel(WeightGradient g, Parts parts, int64_t first_part, int row_tiles, const float* x,
                       const float* gy, float* gw) {
  // Blocks of one part are neighbours, and find each other's pixels in L2.
  const unsigned tiles =
      static_cast<unsigned>((g.cols() + Tile::kCols - 1) / Tile::kCols * g.groups * row_tiles);
  const unsigned number = blockIdx.x / tiles;
  unsigned block = blockIdx.x - number * tiles;
  const int first_row = static_cast<int>(block % static_cast<unsigned>(row_tiles)) * Tile::kRows;
  block /= static_cast<unsigned>(row_tiles);
  const int group = static_cast<int>(block % static_cast<unsigned>(g.groups));
  const int first_col = static_cast<int>(block / static_cast<unsigned>(g.groups)) * Tile::kCols;
  const int rows = g.group_k - first_row, cols = g.cols() - first_col;

  const Parts::Part part = parts.part(first_part + number);
  const int begin = static_cast<int>(part.begin), pixels = static_cast<int>(part.end) - begin;

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
                            pixels,
                            Digits::of(begin + lane_id() % 8, g.ow, g.oh),
                            Digits::of(Tile::kDepth, g.ow, g.oh)};
  Tile tile(rows, cols);
  tile.accumulate((pixels + Tile::kDepth - 1) / Tile::kDepth, gather);

  float* at = gw + number * g.weights() + (int64_t{group} * g.group_k + first_row + tile.row) * g.cols() +
              first_col + tile.col;
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

LOUPE_KERNEL weight_gradient_direct_kernel(WeightGradient g, Parts parts, int64_t first_part, const float* x,
                                           const float* gy, float* gw) {
  const int64_t number = blockIdx.x / g.weights();
  const int weight = static_cast<int>(blockIdx.x - number * g.weights());
  const int k = weight / g.cols();  // over all groups
  const int group = k / g.group_k;
  const Column c = column_of(g, weight - k * g.cols());
  const Parts::Part part = parts.part(first_part + number);
  const float* map = x + int64_t{group} * g.group_c * g.h * g.w + c.element;
  float sum = 0;
  int at = static_cast<int>(part.begin) + thread_number();
  Digits pixel = Digits::of(at, g.ow, g.oh);
  const Digits step = Digits::of(kSumThreads, g.ow, g.oh);
  for (; at < static_cast<int>(part.end); at += kSumThreads, pixel.add(step, g.ow, g.oh)) {
    const int h = pixel.y * g.stride_h, w = pixel.x * g.stride_w;
    if (h + c.h < 0 || h + c.h >= g.h || w + c.w < 0 || w + c.w >= g.w) continue;
    const int64_t y = (int64_t{pixel.z} * g.groups * g.group_k + k) * g.oh + pixel.y;
    const int64_t image = int64_t{pixel.z} * g.groups * g.group_c * g.h * g.w;
    sum = fused(gy[y * g.ow + pixel.x], map[image + int64_t{h} * g.w + w], sum);
  }
  sum = block_sum(sum);
  if (thread_number() == 0) gw[blockIdx.x] = sum;
}

// ---- host

/// The parts from `first` on.
template <typename Tile>
void launch_tiles(Stream stream, const WeightGradient& g, const Parts& parts, int64_t first, int64_t count,
                  const float* x, const float* gy, float* gw) {
  const int row_tiles = (g.group_k + Tile::kRows - 1) / Tile::kRows;
  const int64_t tiles =
      ceil_div(int64_t{g.group_c} * g.kernel_h * g.kernel_w, Tile::kCols) * row_tiles * g.groups;
  launch({{blocks_for(tiles * count, 1)}, {Tile::kThreads}, 0, stream}, weight_gradient_kernel<Tile>, g,
         parts, first, row_tiles, x, gy, gw);
}

}  // namespace

void conv2d_vjp_weight(Stream stream, ConvSizes s, ConvTile tile, Parts parts, const float* x,
                       const float* gy, float* gw, float* scratch) {
  const auto count = [](int64_t value) { return device::conv2d_count<Failure>(value); };
  count(s.n * s.oh * s.ow);
  count(s.group_c() * s.kernel.h * s.kernel.w);
  count(s.h + 2 * s.padding.h + s.dilation.h * s.kernel.h);
  count(s.w + 2 * s.padding.w + s.dilation.w * s.kernel.w);
  const WeightGradient g{count(s.groups),    count(s.group_c()),  count(s.group_k()), count(s.h),
                         count(s.w),         count(s.oh),         count(s.ow),        count(s.kernel.h),
                         count(s.kernel.w),  count(s.stride.h),   count(s.stride.w),  count(s.padding.h),
                         count(s.padding.w), count(s.dilation.h), count(s.dilation.w)};
  in_parts(stream, parts, s.weight_size(), gw, scratch, [&](int64_t first, int64_t number, float* to) {
    switch (tile) {
      case ConvTile::direct:
        return launch({{blocks_for(s.weight_size() * number, 1)}, {kSumThreads}, 0, stream},
                      weight_gradient_direct_kernel, g, parts, first, x, gy, to);
      case ConvTile::rows_32:
        return launch_tiles<GemmTile<1, 1>>(stream, g, parts, first, number, x, gy, to);
      case ConvTile::rows_64:
        return launch_tiles<GemmTile<2, 1>>(stream, g, parts, first, number, x, gy, to);
      case ConvTile::rows_128:
        return launch_tiles<GemmTile<4, 2>>(stream, g, parts, first, number, x, gy, to);
    }
  });
}

LOUPE_EXPORT(conv2d_vjp_weight);

}  // namespace loupe::LOUPE_TARGET
