// The inside of a matrix product on the CPU: packing, and tiles of sums.
//
// For Highway's *.cpu.cpp files: include it after hwy/foreach_target.h; it is compiled once for each target.
#if defined(LOUPE_MATMUL_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOUPE_MATMUL_TILE_INL_H
#undef LOUPE_MATMUL_TILE_INL_H
#else
#define LOUPE_MATMUL_TILE_INL_H
#endif
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "hwy/highway.h"
#include "kernels/common/block-inl.h"
#include "kernels/matmul/product_plan.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {  // without it, other ops' functions of the same name would merge with these

using cpu::kDepth, cpu::kGroup;

constexpr int kRows = kVectors == 1 ? 14 : kVectors == 2 ? 6 : 2;  // of a tile
constexpr int kPanels = kVectors == 1 ? 2 : 1;                     // and its columns, 16 each
constexpr int kRowGroups = (kRows + 3) / 4;

// ---- packing

// A part of b, k steps of it, as panels: `columns` of b, 16 a panel, `stride` floats from one panel to the
// next.
void pack_panels(Product::Strides b, const float* from, int64_t k, int64_t columns, int64_t stride,
                 float* to) {
  const int64_t whole = columns / kBlock, rest = columns % kBlock;
  if (rest) std::fill_n(to + whole * stride, k * kBlock, 0.0f);
  if (b.col == 1) {
    for (int64_t i = 0; i < k; ++i, from += b.row, to += kBlock) {
      for (int64_t j = 0; j < whole; ++j) store(load(from + j * kBlock), to + j * stride);
      std::copy_n(from + whole * kBlock, rest, to + whole * stride);
    }
    return;
  }
  HWY_ALIGN float part[4 * kLanes];
  const int64_t vectors = k / kLanes * kLanes;
  for (int64_t column = 0; column < columns; column += kBlock, from += kBlock * b.col, to += stride) {
    const bool full = columns - column >= kBlock;
    for (int64_t i = 0; full && i < vectors; i += kLanes)
      for (int64_t j = 0; j < kBlock; j += 4) {
        const float* at = from + j * b.col + i;
        hn::StoreInterleaved4(hn::LoadU(D(), at), hn::LoadU(D(), at + b.col), hn::LoadU(D(), at + 2 * b.col),
                              hn::LoadU(D(), at + 3 * b.col), D(), part);
        for (int64_t l = 0; l < kLanes; ++l)
          std::memcpy(to + (i + l) * kBlock + j, part + 4 * l, 4 * sizeof(float));
      }
    for (int64_t i = full ? vectors : 0; i < k; ++i)
      for (int64_t j = 0; j < std::min(kBlock, columns - column); ++j)
        to[i * kBlock + j] = from[j * b.col + i];
  }
}

// The rows of a tile, k steps of them, as groups of four.
void pack_rows(Product::Strides a, const float* from, int64_t k, int64_t rows, float* to) {
  if (a.col != 1) {
    const int64_t whole = rows / 4, rest = rows % 4;
    for (int64_t i = 0; i < k; ++i, from += a.col, to += 4) {
      for (int64_t g = 0; g < whole; ++g) std::memcpy(to + g * kGroup, from + 4 * g, 4 * sizeof(float));
      std::copy_n(from + 4 * whole, rest, to + whole * kGroup);
    }
    return;
  }
  for (int64_t first = 0; first < rows; first += 4, to += kGroup) {
    const float* row[4];  // those that are missing repeat the last one; nobody reads them
    for (int64_t r = 0; r < 4; ++r) row[r] = from + std::min(first + r, rows - 1) * a.row;
    int64_t i = 0;
    for (; i + kLanes <= k; i += kLanes)
      hn::StoreInterleaved4(hn::LoadU(D(), row[0] + i), hn::LoadU(D(), row[1] + i),
                            hn::LoadU(D(), row[2] + i), hn::LoadU(D(), row[3] + i), D(), to + 4 * i);
    for (; i < k; ++i)
      for (int64_t r = 0; r < 4; ++r) to[4 * i + r] = row[r][i];
  }
}

// ---- tiles

struct Tile {
  int64_t k;
  const float *a, *b;
  int64_t b_panel;
  float* c;
  int64_t c_row, c_panel;  // from row to row, and from 16 columns to the next
  bool add;                // to what is in c
};

template <int kTileRows, int kTilePanels_>
void multiply(const Tile& t) {
  Block sum[kTileRows][kTilePanels_];
#pragma GCC unroll 16
  for (int i = 0; i < kTileRows; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < kTilePanels_; ++j)
      sum[i][j] = t.add ? load(t.c + i * t.c_row + j * t.c_panel) : fill(0.0f);
  const float *a = t.a, *b = t.b;
  for (int64_t k = 0; k < t.k; ++k, a += 4, b += kBlock) {
    Block column[kTilePanels_];
#pragma GCC unroll 2
    for (int j = 0; j < kTilePanels_; ++j) column[j] = load(b + j * t.b_panel);
#pragma GCC unroll 16
    for (int i = 0; i < kTileRows; ++i) {
      const Block value = fill(a[i / 4 * kGroup + i % 4]);
#pragma GCC unroll 2
      for (int j = 0; j < kTilePanels_; ++j) sum[i][j] = fma(value, column[j], sum[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTileRows; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < kTilePanels_; ++j) store(sum[i][j], t.c + i * t.c_row + j * t.c_panel);
}

// The kernels by their number of rows, 1 to kRows.
using TileFunction = void (*)(const Tile&);
template <int kTilePanels_, int... i>
constexpr std::array<TileFunction, sizeof...(i)> tile_table(std::integer_sequence<int, i...>) {
  return {multiply<i + 1, kTilePanels_>...};
}
using Rows = std::make_integer_sequence<int, kRows>;
constexpr std::array<TileFunction, kRows> kTiles[2] = {tile_table<1>(Rows()), tile_table<kPanels>(Rows())};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
