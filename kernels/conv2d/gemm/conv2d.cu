// Convolution as an implicit matrix product: forward, and backward to the input as a true transposed
// convolution.
//
//   to[m, p] = Σ_k weight[k, m] · from[k, p]      m: an output channel of a group
//                                                 p: a pixel of the whole batch, k: (input channel, tap)
//
// Nothing is unfolded in memory: cp.async gathers each value of `from` from where it lies in the map, and
// writes a zero where a tap falls off it. Weights are packed once with m running fastest (conv2d_pack), so
// they come 16 bytes at a time; so do the pixels of a 1×1 convolution whose maps have a multiple of four.
//
// Backward to the input, with stride s, is cut into s.h·s.w *phases*, one for each (row mod s.h, column mod
// s.w) of the result: in a phase every output sees the same taps, and only those that land on a cell, so no
// inserted zero is multiplied. The taps of a phase are evenly spaced along each axis (PhaseAxis); forward is
// one phase with all of them.
//
// Floor: macs multiply-adds; to read `from` and the weights once and write `to` once. A tile of R × C sums
// reads R + C values from L2 for R·C multiply-adds: 64 a value at 128×128, 32 at 64×64, 21 at 32×64.
//
//   tile       threads   shared memory   registers (nvcc 13.0: sm_80, sm_90a)   for
//   128 × 128  256       25 344 bytes    157, 161                               many channels and pixels
//   64 × 64    64        13 056 bytes    150, 155                               what lies between
//   32 × 64    32        9 984 bytes     150, 155                               few channels, or few pixels
//   direct     128       none            56, 44                                 small groups (depthwise)
//
// 64 registers are a thread's sums, 32 two steps' values of the slab, up to 16 the places of its columns.
// conv2d_tile() chooses by the layer's shape without the batch; a sum's order of additions is the same in
// every tile (gemm_tile.h).
#include "kernels/conv2d/conv2d.h"

#include <algorithm>

#include "kernels/conv2d/gemm/gemm_tile.h"
#include "kernels/conv2d/gemm/places.h"
#include "kernels/device/export.h"
#include "kernels/elementwise/epilogue.h"

namespace loupe::LOUPE_TARGET {

namespace {

/// Queues the copies of one slab after another: row k is an input channel and a tap. Warps share the rows.
template <typename Tile>
struct Gather {
  static constexpr int kMine = Tile::kCols / kWarp;  // columns of this lane: lane, lane + 32 …
  static constexpr int kNowhere = -(1 << 30);

  const int lane = lane_id(), warp = warp_id();
  const Convolution& c;
  const float *from, *weight;  // at the first cell; at the group and this lane's four rows
  bool weight_wanted, weight_valid;
  Digits k, step;  // (tap.w, tap.h, channel)
  int taps_h, taps_w;
  int weight_step_h, weight_step_w, cell_step_h, cell_step_w;
  int element[kMine];  // of `from`, of a column's cell at channel 0 of the group and the first tap
  int cell_h[kMine], cell_w[kMine];  // that cell; far outside where there is no such column
  bool wanted[kMine];

  LOUPE_DEVICE Gather(const Convolution& convolution, const Place& place, const float* x, const float* packed,
                      int rows, int cols)
      : c(convolution), from(x) {
    const int row = 4 * lane;
    weight_wanted = row < Tile::kRows && Tile::row_is_read(row, rows);
    weight_valid = place.first_row + row < c.pitch;
    const int tap = place.h.tap * c.w.kernel + place.w.tap;
    weight = packed + (int64_t{place.group} * c.in_channels * c.h.kernel * c.w.kernel + tap) * c.pitch +
             place.first_row + row;
    taps_h = place.h.taps > 1 ? place.h.taps : 1;
    taps_w = place.w.taps > 1 ? place.w.taps : 1;
    k = Digits::of(warp, taps_w, taps_h);
    step = Digits::of(Tile::kWarps, taps_w, taps_h);
    weight_step_h = place.h.tap_step * c.w.kernel;
    weight_step_w = place.w.tap_step;
    cell_step_h = place.h.cell_step;
    cell_step_w = place.w.cell_step;
    LOUPE_UNROLL
    for (int j = 0; j < kMine; ++j) {
      const int col = c.vectors ? 4 * lane : lane + kWarp * j;
      wanted[j] = col < Tile::kCols && Tile::col_is_read(col, cols);
      const Pixel p = pixel_of(place, place.first_col + (col < cols ? col : 0));
      cell_h[j] = p.row * place.h.in_step + place.h.cell;
      cell_w[j] = p.col * place.w.in_step + place.w.cell;
      element[j] =
          (p.image * c.groups + place.group) * c.in_channels * c.map_in + cell_h[j] * c.w.in + cell_w[j];
      if (col >= cols) cell_h[j] = kNowhere;
    }
  }

  LOUPE_DEVICE void operator()(typename Tile::Slab& slab) {
    LOUPE_UNROLL
    for (int i = 0; i < Tile::kDepth / Tile::kWarps; ++i) {
      const int row = warp + i * Tile::kWarps;
      const bool inside = k.z < c.in_channels;
      if (weight_wanted) {
        const int at = k.z * c.taps + k.y * weight_step_h + k.x * weight_step_w;
        const bool valid = inside && weight_valid;
        copy_async<16>(&slab.a[row][4 * lane], weight + (valid ? int64_t{at} * c.pitch : 0), valid);
      }
      copy_cells(slab.b[row], inside);
      k.add(step, taps_w, taps_h);
    }
  }

  LOUPE_DEVICE void copy_cells(float* to, bool inside) const {
    const int h = k.y * cell_step_h, w = k.x * cell_step_w;
    const int offset = k.z * c.map_in + h * c.w.in + w;
    if (c.vectors) {
      const bool valid = inside && cell_h[0] != kNowhere;
      if (wanted[0]) copy_async<16>(&to[4 * lane], from + (valid ? element[0] + offset : 0), valid);
      return;
    }
    LOUPE_UNROLL
    for (int j = 0; j < kMine; ++j) {
      const bool valid = inside && static_cast<unsigned>(cell_h[j] + h) < static_cast<unsigned>(c.h.in) &&
                         static_cast<unsigned>(cell_w[j] + w) < static_cast<unsigned>(c.w.in);
      if (wanted[j]) copy_async<4>(&to[lane + kWarp * j], from + (valid ? element[j] + offset : 0), valid);
    }
  }
};

/// A tile's sums on their way out.
template <typename Tile>
struct Results {
  const Convolution& c;
  const Place& place;
  Tile& tile;
  int rows, cols;
  const int64_t map = int64_t{c.h.out} * c.w.out;
  const bool vectors =
      map % 4 == 0 && place.h.out_step == 1 && place.w.out_step == 1;  // four columns are neighbours in `to`

  /// Calls body(i, j, image, element) for the sums that are wanted, or for the first of each four.
  template <typename Body>
  LOUPE_DEVICE void each(const Body& body) const {
    LOUPE_UNROLL
    for (int j = 0; j < 8; ++j) {
      const int col = tile.col + j / 4 * 32 + j % 4;
      if (col >= cols || (vectors && j % 4)) continue;
      const Pixel p = pixel_of(place, place.first_col + col);
      const int64_t first = element_of(c, place, p) + (place.first_row + tile.row) * map;
      LOUPE_UNROLL
      for (int i = 0; i < 8; ++i) {
        const int row = i / 4 * 16 + i % 4;
        if (tile.row + row < rows) body(i, j, p.image, first + row * map);
      }
    }
  }
  template <typename Change>
  LOUPE_DEVICE void change(const Change& f) {
    LOUPE_UNROLL
    for (int i = 0; i < 8; ++i) LOUPE_UNROLL
    for (int j = 0; j < 8; ++j) tile.sum[i][j] = f(tile.sum[i][j], i, j);
  }

  LOUPE_DEVICE void add_bias(const float* bias) {
    LOUPE_UNROLL
    for (int i = 0; i < 8; ++i) {
      const int row = tile.row + i / 4 * 16 + i % 4;
      if (row >= rows) continue;
      const float b = bias[place.group * c.out_channels + place.first_row + row];
      LOUPE_UNROLL
      for (int j = 0; j < 8; ++j) tile.sum[i][j] += b;
    }
  }
  LOUPE_DEVICE void add_residual(const EpilogueArrays& a) {
    each([&](int i, int j, int image, int64_t element) {
      const float* from = a.residual + image * a.image + element;
      if (!vectors) {
        tile.sum[i][j] += *from;
      } else if (j % 4 == 0) {
        const Float4 four = load_vector<4>(from);
        LOUPE_UNROLL
        for (int k = 0; k < 4; ++k) tile.sum[i][j + k] += four[k];
      }
    });
  }
  /// The signal through a function that kept bits: 64 of them, one a sum.
  LOUPE_DEVICE void vjp(const Epilogue& e, const EpilogueArrays& a) {
    uint64_t bits = 0;
    each([&](int i, int j, int image, int64_t element) {
      bits |= static_cast<uint64_t>(a.bits(image, element) & (vectors ? 15u : 1u)) << (8 * i + j);
    });
    visit_bit_function(e.function, [&](auto f) {
      change([&](float g, int i, int j) {
        return decltype(f)::vjp(g, (bits >> (8 * i + j) & 1) != 0, parameters_of(e));
      });
    });
  }
  LOUPE_DEVICE void store(const EpilogueArrays& a, float* to) const {
    each([&](int i, int j, int image, int64_t element) {
      float* at = to + image * a.image + element;
      if (!vectors) {
        *at = tile.sum[i][j];
      } else if (j % 4 == 0) {
        store_vector<4>(at,
                        Float4{{tile.sum[i][j], tile.sum[i][j + 1], tile.sum[i][j + 2], tile.sum[i][j + 3]}});
      }
    });
  }
};

template <typename Tile>
LOUPE_KERNEL_FOR(Tile::kThreads, Tile::kBlocks)
convolve_kernel(Convolution c, const float* from, const float* weight, const float* bias, Epilogue epilogue,
                EpilogueArrays arrays, float* to) {
  const Place place(c, Tile::kRows, Tile::kCols);
  const int rows = c.out_channels - place.first_row;
  const int cols = c.n * place.image_cols() - place.first_col;
  if (cols <= 0) return;  // the phases are not all of one size

  Tile tile(rows, cols);
  Gather<Tile> gather(c, place, from, weight, rows, cols);
  const int depth = c.in_channels * place.h.taps * place.w.taps;
  tile.accumulate((depth + Tile::kDepth - 1) / Tile::kDepth, gather);

  Results<Tile> results{c, place, tile, rows, cols};
  if (bias) results.add_bias(bias);
  if (epilogue.residual) results.add_residual(arrays);
  if (rectifies(epilogue)) results.change([](float g, int, int) { return rectify(g); });
  if (epilogue.row == Epilogue::Row::none)
    visit_bit_function(epilogue.function, [&](auto f) {
      results.change([&](float x, int, int) { return decltype(f)::value(x, parameters_of(epilogue)); });
    });
  else if (epilogue.row != Epilogue::Row::deconvnet)
    results.vjp(epilogue, arrays);
  results.store(arrays, to);
}

constexpr int kDirectThreads = 128;

// Every read of a warp is of consecutive pixels (where the stride is 1) or one weight for all of them.
LOUPE_KERNEL convolve_direct_kernel(Convolution c, const float* from, const float* weight, const float* bias,
                                    Epilogue epilogue, EpilogueArrays arrays, float* to) {
  const Place place(c, 1, kDirectThreads);
  const int p = place.first_col + static_cast<int>(threadIdx.x), m = place.first_row;
  if (p >= c.n * place.image_cols()) return;
  const Pixel pixel = pixel_of(place, p);
  const int cell_h = pixel.row * place.h.in_step + place.h.cell;
  const int cell_w = pixel.col * place.w.in_step + place.w.cell;
  const int64_t first_channel = (int64_t{pixel.image} * c.groups + place.group) * c.in_channels;
  float sum = 0;
  for (int k = 0; k < c.in_channels; ++k) {
    const float* map = from + (first_channel + k) * c.h.in * c.w.in;
    const float* taps =
        weight + (int64_t{place.group} * c.in_channels + k) * (c.h.kernel * c.w.kernel) * c.pitch + m;
    for (int a = 0; a < place.h.taps; ++a) {
      const int h = cell_h + a * place.h.cell_step;
      if (h < 0 || h >= c.h.in) continue;
      for (int b = 0; b < place.w.taps; ++b) {
        const int w = cell_w + b * place.w.cell_step;
        if (w < 0 || w >= c.w.in) continue;
        const int tap =
            (place.h.tap + a * place.h.tap_step) * c.w.kernel + place.w.tap + b * place.w.tap_step;
        sum = fused(taps[int64_t{tap} * c.pitch], map[int64_t{h} * c.w.in + w], sum);
      }
    }
  }
  if (bias) sum += bias[place.group * c.out_channels + m];
  const int64_t element = element_of(c, place, pixel) + int64_t{m} * c.h.out * c.w.out;
  to[pixel.image * arrays.image + element] = finish_value(epilogue, arrays, sum, pixel.image, element);
}

// ---- host

constexpr int64_t kMostElements = (int64_t{1} << 30) - 1;

/// Blocks of `rows` × `cols` that cover every phase as if all were as large as the first.
unsigned blocks_of(const Convolution& c, int rows, int cols) {
  const int64_t pixels = int64_t{c.n} * ceil_div(c.h.out, c.h.phases) * ceil_div(c.w.out, c.w.phases);
  return blocks_for(
      ceil_div(pixels, cols) * ceil_div(c.out_channels, rows) * c.groups * c.h.phases * c.w.phases, 1);
}

template <typename Tile>
void launch_tiles(Stream stream, const Convolution& c, const float* from, const float* weight,
                  const float* bias, const Epilogue& epilogue, const EpilogueArrays& arrays, float* to) {
  launch({{blocks_of(c, Tile::kRows, Tile::kCols)}, {Tile::kThreads}, 0, stream}, convolve_kernel<Tile>, c,
         from, weight, bias, epilogue, arrays, to);
}

/// The convolution without its batch; throws for what 32 bits cannot count.
Convolution described(const ConvSizes& s, Direction direction, ConvTile tile) {
  const bool adjoint = direction == Direction::vjp_input;
  const auto count = [](int64_t value) { return device::conv2d_count<Failure>(value); };
  const auto axis = [&](int64_t x, int64_t y, int64_t kernel, int64_t stride, int64_t padding,
                        int64_t dilation) {
    count(x + 2 * padding + dilation * kernel + stride);
    return Axis{count(adjoint ? y : x),
                count(adjoint ? x : y),
                count(kernel),
                count(stride),
                count(padding),
                count(dilation),
                adjoint,
                count(adjoint ? std::min(stride, x) : 1)};
  };
  Convolution c{
      .n = 0,
      .groups = count(s.groups),
      .in_channels = count(adjoint ? s.group_k() : s.group_c()),
      .out_channels = count(adjoint ? s.group_c() : s.group_k()),
      .pitch = count(device::conv2d_pitch(s, direction, tile)),
      .h = axis(s.h, s.oh, s.kernel.h, s.stride.h, s.padding.h, s.dilation.h),
      .w = axis(s.w, s.ow, s.kernel.w, s.stride.w, s.padding.w, s.dilation.w),
      .map_in = count(adjoint ? s.oh * s.ow : s.h * s.w),
      .taps = count(s.kernel.h * s.kernel.w),
      .vectors = s.kernel == Pair(1) && s.stride == Pair(1) && s.padding == Pair(0) && s.h * s.w % 4 == 0};
  count(int64_t{c.in_channels} * c.taps);
  return c;
}

/// The kernel ends with the epilogue; else finish() follows it. In a tile's 64 copies of a thread's last step
/// there is room for the relu family, not for an exponential.
bool ends_with(ConvTile tile, const Epilogue& e, const void* record) {
  if (writes_bits(e, record)) return false;
  return tile == ConvTile::direct || !e.function || e.row == Epilogue::Row::deconvnet ||
         keeps_bits(e.function);
}

/// The arrays from image `first` on.
EpilogueArrays arrays_from(const Epilogue& e, const float* residual, void* record, int64_t first,
                           int64_t image) {
  const int64_t record_image = keeps_bits(e.function) ? ceil_div(image, 8) : image * int64_t{sizeof(float)};
  return {residual ? residual + first * image : nullptr,
          record ? static_cast<std::byte*>(record) + first * record_image : nullptr, image};
}

}  // namespace

void conv2d_convolve(Stream stream, ConvSizes s, Direction direction, ConvTile tile, const float* from,
                     const float* weight, const float* bias, Epilogue epilogue, const float* residual,
                     float* to, void* record) {
  Convolution c = described(s, direction, tile);
  const int64_t image_in = int64_t{c.groups} * c.in_channels * c.map_in;
  const int64_t map_out = int64_t{c.h.out} * c.w.out,
                image_out = int64_t{c.groups} * c.out_channels * map_out;
  const bool own_end = ends_with(tile, epilogue, record);
  const Epilogue end = own_end ? epilogue : Epilogue{};
  // As many images at once as 32 bits can count.
  const int64_t together = std::max<int64_t>(1, kMostElements / std::max(image_in, map_out));
  for (int64_t first = 0; first < s.n; first += together) {
    c.n = device::conv2d_count<Failure>(std::min(together, s.n - first));
    device::conv2d_count<Failure>(c.n * std::max(image_in, map_out));
    const float* x = from + first * image_in;
    float* y = to + first * image_out;
    const EpilogueArrays arrays = arrays_from(epilogue, residual, record, first, image_out);
    switch (tile) {
      case ConvTile::direct:
        launch({{blocks_of(c, 1, kDirectThreads)}, {kDirectThreads}, 0, stream}, convolve_direct_kernel, c, x,
               weight, bias, end, arrays, y);
        break;
      case ConvTile::rows_32:
        launch_tiles<GemmTile<1, 1>>(stream, c, x, weight, bias, end, arrays, y);
        break;
      case ConvTile::rows_64:
        launch_tiles<GemmTile<2, 1>>(stream, c, x, weight, bias, end, arrays, y);
        break;
      case ConvTile::rows_128:
        launch_tiles<GemmTile<4, 2>>(stream, c, x, weight, bias, end, arrays, y);
        break;
    }
  }
  if (!own_end) finish(stream, epilogue, to, residual, to, record, s.n, image_out);
}

LOUPE_EXPORT(conv2d_convolve);

}  // namespace loupe::LOUPE_TARGET
