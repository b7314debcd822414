// The micro-kernels of convolutions on the CPU: tiles of output pixels, and sums over pixels for the gradient
// of weights.
//
// For Highway's *.cpu.cpp files: include it after hwy/foreach_target.h; it is compiled once for each target.
#if defined(LOUPE_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOUPE_TILE_INL_H
#undef LOUPE_TILE_INL_H
#else
#define LOUPE_TILE_INL_H
#endif
#include <algorithm>
#include <array>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/conv2d/direct/tap_convolution.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other ops' functions of the same name would merge with these

using cpu::WeightSum;

constexpr int kMaxPixels = kVectors == 1 ? 14 : kVectors == 2 ? 6 : 2;
constexpr int kMaxBlocks = kVectors == 1 ? 2 : 1;
constexpr int kMaxChannels = kVectors == 1 ? 16 : kVectors == 2 ? 6 : 2;  // of vjp_weight

// One call of the micro-kernel.
struct Tile {
  const float* in;  // first pixel, in the first channel block
  int64_t in_pixel, in_block, first_c_block;
  const int64_t* taps;  // offsets from `in`
  int64_t tap_count, c_begin, c_end;
  const float* weights;
  int64_t weights_block;  // from one output block's weights to the next one's
  const float* bias;      // or null
  float* out;
  int64_t out_pixel, out_block;
};

template <int kPixels, int kBlocks>
HWY_INLINE void start(const Tile& t, Block (&sum)[kPixels][kBlocks]) {
#pragma GCC unroll 2
  for (int b = 0; b < kBlocks; ++b) {
    const Block bias = t.bias ? load(t.bias + b * kBlock) : fill(0.0f);
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) sum[i][b] = bias;
  }
}

template <int kPixels, int kBlocks>
HWY_INLINE void end(const Tile& t, const Block (&sum)[kPixels][kBlocks]) {
#pragma GCC unroll 16
  for (int i = 0; i < kPixels; ++i)
#pragma GCC unroll 2
    for (int b = 0; b < kBlocks; ++b) store(sum[i][b], t.out + i * t.out_pixel + b * t.out_block);
}

template <int kPixels, int kBlocks>
void dense_tile(const Tile& t) {
  Block sum[kPixels][kBlocks];
  start(t, sum);
  const float* weights = t.weights;
  for (int64_t c0 = t.c_begin; c0 < t.c_end;) {
    const int64_t c1 = std::min(t.c_end, round_up(c0 + 1, kBlock));
    const float* in = t.in + (c0 / kBlock - t.first_c_block) * t.in_block + c0 % kBlock;
    for (int64_t tap = 0; tap < t.tap_count; ++tap) {
      const float* x = in + t.taps[tap];
      for (int64_t c = c0; c < c1; ++c, ++x, weights += kBlock) {
        Block w[kBlocks];
#pragma GCC unroll 2
        for (int b = 0; b < kBlocks; ++b) w[b] = load(weights + b * t.weights_block);
#pragma GCC unroll 16
        for (int i = 0; i < kPixels; ++i) {
          const Block value = fill(x[i * t.in_pixel]);
#pragma GCC unroll 2
          for (int b = 0; b < kBlocks; ++b) sum[i][b] = fma(value, w[b], sum[i][b]);
        }
      }
    }
    c0 = c1;
  }
  end(t, sum);
}

// The micro-kernels by their number of pixels, 1 to kMaxPixels.
using TileFunction = void (*)(const Tile&);
using TileTable = std::array<TileFunction, kMaxPixels>;
template <int kBlocks, int... i>
constexpr TileTable dense_table(std::integer_sequence<int, i...>) {
  return {dense_tile<i + 1, kBlocks>...};
}
using Sizes = std::make_integer_sequence<int, kMaxPixels>;
constexpr TileTable kDense[2] = {dense_table<1>(Sizes()), dense_table<kMaxBlocks>(Sizes())};

// The sum for kChannels channels, whose order is images, rows, columns.
template <int kChannels>
void sum_weight(const WeightSum& s, float* sums) {
  Block sum[kChannels];
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; ++c) sum[c] = fill(0.0f);
  for (int64_t image = 0; image < s.images; ++image)
    for (int64_t row = 0; row < s.rows; ++row) {
      const float* x = s.x + image * s.x_image + row * s.x_row;
      if (s.cols == 1) hwy::Prefetch(x + kBlock);  // vectors: the next call's channels
      const float* gy = s.gy + image * s.gy_image + row * s.gy_row;
      for (int64_t col = 0; col < s.cols; ++col, x += s.x_pixel, gy += kBlock) {
        const Block g = load(gy);
#pragma GCC unroll 16
        for (int c = 0; c < kChannels; ++c) sum[c] = fma(fill(x[c]), g, sum[c]);
      }
    }
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; ++c) store(sum[c], sums + c * kBlock);
}

using WeightFunction = void (*)(const WeightSum&, float*);
template <int... i>
constexpr std::array<WeightFunction, sizeof...(i)> weight_table(std::integer_sequence<int, i...>) {
  return {sum_weight<i + 1>...};
}
constexpr auto kWeight = weight_table(std::make_integer_sequence<int, kMaxChannels>());

[[maybe_unused]] void SumWeight(WeightSum s, int64_t channels, float* sums) {
  while (channels > 0) {
    const int64_t now = std::min<int64_t>(channels, kMaxChannels);
    kWeight[static_cast<size_t>(now - 1)](s, sums);
    s.x += now;
    sums += now * kBlock;
    channels -= now;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
