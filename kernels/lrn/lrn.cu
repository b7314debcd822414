// Local response normalisation on a GPU. A block takes 32 neighbouring pixels and a slice of 32 channels. It
// brings the slice into shared memory, with the channels around it that the windows reach, so that each x is
// read from global memory about once, and (in the vjp) each power is taken once and not once a window.
// Windows wider than 33 channels, which no network has, are summed straight from global memory.
//
// Floor: 4 bytes read and 4 written an element (the vjp reads 8), and one power.
#include "kernels/lrn/lrn.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kSlice = 32, kWarps = 8;  // channels of a block; warps that share them
constexpr int kWidest = 33;             // channels of a window, for the slices

// The window of channel c is c − below … c + above; c lies in those of c − above … c + below.
struct LrnWindow {
  int channels, below, above;
  float k, scale, beta;  // d = k + scale · Σ x²

  LrnWindow(const Lrn& a, int64_t c)
      : channels(small(c)),
        below(static_cast<int>(std::min(a.size / 2, c))),
        above(static_cast<int>(std::min((a.size - 1) / 2, c))),
        k(static_cast<float>(a.k)),
        scale(static_cast<float>(a.alpha / static_cast<double>(a.size))),
        beta(static_cast<float>(a.beta)) {}
};

// A block's pixels, one a lane, counted through all images; its slice begins at channel `first`.
struct Place {
  bool exists;
  int lane, warp, first;
  int64_t start;  // of the pixel in channel 0
  LOUPE_DEVICE Place(const LrnWindow& a, int64_t all, int64_t pixels)
      : lane(static_cast<int>(threadIdx.x)), warp(static_cast<int>(threadIdx.y)) {
    const int64_t slices = (a.channels + kSlice - 1) / kSlice;
    const int64_t i = blockIdx.x / slices * kWarp + lane;
    first = static_cast<int>(blockIdx.x % slices) * kSlice;
    exists = i < all;
    start = i / pixels * a.channels * pixels + i % pixels;
  }
};

struct Row {
  float of[kWarp];
};

// Channels begin … begin + rows − 1 into shared memory; 0 where there is none.
LOUPE_DEVICE void bring(const LrnWindow& a, const Place& me, const float* x, int64_t pixels, int begin,
                        int rows, Row* tile) {
  for (int r = me.warp; r < rows; r += kWarps) {
    const int c = begin + r;
    tile[r].of[me.lane] = me.exists && c >= 0 && c < a.channels ? x[me.start + c * pixels] : 0.0f;
  }
}

// d of the channel in row `r` of the tile.
LOUPE_DEVICE float denominator(const LrnWindow& a, const Row* tile, int r, int lane) {
  float sum = 0;
  for (int i = r - a.below; i <= r + a.above; ++i) sum += tile[i].of[lane] * tile[i].of[lane];
  return a.k + a.scale * sum;
}

LOUPE_KERNEL lrn_kernel(LrnWindow a, const float* x, float* y, int64_t all, int64_t pixels) {
  Row* tile = dynamic_shared_storage<Row>();
  const Place me(a, all, pixels);
  bring(a, me, x, pixels, me.first - a.below, kSlice + a.below + a.above, tile);
  sync_threads();
  for (int r = me.warp; r < kSlice && me.first + r < a.channels && me.exists; r += kWarps)
    y[me.start + (me.first + r) * pixels] =
        tile[r + a.below].of[me.lane] / powf(denominator(a, tile, r + a.below, me.lane), a.beta);
}

LOUPE_KERNEL lrn_vjp_kernel(LrnWindow a, float factor, const float* x, const float* gy, float* gx,
                            int64_t all, int64_t pixels) {
  const int reach = a.below + a.above;
  Row* tile = dynamic_shared_storage<Row>();  // x of channels first − reach …
  Row* through = tile + kSlice + 2 * reach;   // gy·x/d^(beta+1) of channels first − above …
  Row* direct = through + kSlice + reach;     // gy/d^beta of the slice
  const Place me(a, all, pixels);
  bring(a, me, x, pixels, me.first - reach, kSlice + 2 * reach, tile);
  sync_threads();
  for (int r = me.warp; r < kSlice + reach; r += kWarps) {
    const int c = me.first - a.above + r, own = r - a.above;
    float quotient = 0, d = 1;
    if (me.exists && c >= 0 && c < a.channels) {
      d = denominator(a, tile, r + a.below, me.lane);
      quotient = gy[me.start + c * pixels] / powf(d, a.beta);
    }
    through[r].of[me.lane] = quotient * tile[r + a.below].of[me.lane] / d;
    if (own >= 0 && own < kSlice) direct[own].of[me.lane] = quotient;
  }
  sync_threads();
  for (int r = me.warp; r < kSlice && me.first + r < a.channels && me.exists; r += kWarps) {
    float sum = 0;
    for (int i = r; i <= r + reach; ++i) sum += through[i].of[me.lane];
    gx[me.start + (me.first + r) * pixels] =
        direct[r].of[me.lane] - factor * tile[r + reach].of[me.lane] * sum;
  }
}

// ---- any width, an element a thread

LOUPE_DEVICE float wide_denominator(const LrnWindow& a, const float* x, int c, int64_t pixels) {
  const int begin = c > a.below ? c - a.below : 0;
  const int end = a.channels - c > a.above ? c + a.above + 1 : a.channels;
  float sum = 0;
  for (int i = begin; i < end; ++i) sum += x[i * pixels] * x[i * pixels];
  return a.k + a.scale * sum;
}

LOUPE_KERNEL lrn_wide_kernel(Cells elements, LrnWindow a, const float* x, float* y, Divider by_pixels,
                             int pixels) {
  int64_t image;
  int i;
  if (!elements.find(image, i)) return;
  const int c = by_pixels.quotient(i);
  const int64_t start = image * a.channels * pixels + i - c * pixels, at = start + int64_t{c} * pixels;
  y[at] = x[at] / powf(wide_denominator(a, x + start, c, pixels), a.beta);
}

LOUPE_KERNEL lrn_wide_vjp_kernel(Cells elements, LrnWindow a, float factor, const float* x, const float* gy,
                                 float* gx, Divider by_pixels, int pixels) {
  int64_t image;
  int element;
  if (!elements.find(image, element)) return;
  const int c = by_pixels.quotient(element);
  const int64_t start = image * a.channels * pixels + element - c * pixels;
  const int begin = c > a.above ? c - a.above : 0;
  const int end = a.channels - c > a.below ? c + a.below + 1 : a.channels;
  float sum = 0, direct = 0;
  for (int i = begin; i < end; ++i) {
    const int64_t at = start + int64_t{i} * pixels;
    const float d = wide_denominator(a, x + start, i, pixels), quotient = gy[at] / powf(d, a.beta);
    sum += quotient * x[at] / d;
    if (i == c) direct = quotient;
  }
  const int64_t at = start + int64_t{c} * pixels;
  gx[at] = direct - factor * x[at] * sum;
}

Launch slices(Stream stream, int64_t c, int64_t all, int rows) {
  const int64_t blocks = (c + kSlice - 1) / kSlice * ((all + kWarp - 1) / kWarp);
  return {{blocks_for(blocks, 1)}, {kWarp, kWarps}, static_cast<size_t>(rows) * sizeof(Row), stream};
}

}  // namespace

void lrn(Stream stream, const Lrn& attributes, const float* x, float* y, int64_t n, int64_t c,
         int64_t pixels) {
  const LrnWindow a(attributes, c);
  if (const int reach = a.below + a.above; reach < kWidest)
    return launch(slices(stream, c, n * pixels, kSlice + reach), lrn_kernel, a, x, y, n * pixels, pixels);
  const Cells elements(n, c * pixels);
  launch(elements.launch_in(stream), lrn_wide_kernel, elements, a, x, y, Divider(pixels), small(pixels));
}

void lrn_vjp(Stream stream, const Lrn& attributes, const float* x, const float* gy, float* gx, int64_t n,
             int64_t c, int64_t pixels) {
  const LrnWindow a(attributes, c);
  const auto factor =
      static_cast<float>(2 * attributes.alpha * attributes.beta / static_cast<double>(attributes.size));
  if (const int reach = a.below + a.above; reach < kWidest)
    return launch(slices(stream, c, n * pixels, 3 * kSlice + 3 * reach), lrn_vjp_kernel, a, factor, x, gy, gx,
                  n * pixels, pixels);
  const Cells elements(n, c * pixels);
  launch(elements.launch_in(stream), lrn_wide_vjp_kernel, elements, a, factor, x, gy, gx, Divider(pixels),
         small(pixels));
}

LOUPE_EXPORT(lrn);
LOUPE_EXPORT(lrn_vjp);

}  // namespace loupe::LOUPE_TARGET
