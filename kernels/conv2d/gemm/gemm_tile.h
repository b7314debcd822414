// GemmTile: the register-blocked matrix product in the middle of the convolution kernels.
//
//   sum[row][col] = Σ_k a[k][row] · b[k][col]
//
// A block makes kRows × kCols sums. It walks along k in steps of kDepth: a *slab* of a and b, kDepth rows
// each, lies in shared memory, and while the warps multiply one slab, cp.async brings the next two (three
// slabs in turn, one barrier each). A warp makes 32 × 64 sums and each of its lanes 8 × 8, four neighbours in
// four places:
//
//   rows 4·(lane/8) + {0…3} and 16 more,   columns 4·(lane%8) + {0…3} and 32 more
//
// so that for each k a lane reads four times 16 bytes (of a, four addresses a warp, the rest is broadcast; of
// b, 128 bytes in a row: no bank conflicts) for its 64 fused multiply-adds.
//
// Every sum starts at zero and adds its products in the order of k in one register: it depends neither on its
// place in the tile nor on the tile's shape.
#pragma once
#include "kernels/device/async_copy.h"
#include "kernels/device/math.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

template <int WarpsDown, int WarpsAcross>
struct GemmTile {
  static constexpr int kRows = 32 * WarpsDown, kCols = 64 * WarpsAcross, kDepth = 8, kSlabs = 3;
  static constexpr int kWarps = WarpsDown * WarpsAcross, kThreads = kWarps * kWarp;
  /// A multiprocessor shall hold 12 warps, where a block does not have more than half of them: 168 registers.
  static constexpr int kBlocks = 384 / kThreads;

  /// Rows are padded by 16 bytes, so that 8 × 4 lanes may write 4 neighbours in each of 8 rows at once.
  struct Slab {
    alignas(16) float a[kDepth][kRows + 4];
    alignas(16) float b[kDepth][kCols + 4];
  };
  struct Slabs {
    Slab of[kSlabs];
  };

  /// First row and column of this thread's sums.
  int row = warp_id() / WarpsAcross * 32 + lane_id() / 8 * 4;
  int col = warp_id() % WarpsAcross * 64 + lane_id() % 8 * 4;
  float sum[8][8] = {};

  /// Of the tile, only `rows` × `cols` are wanted: the number a warp's part of it has.
  int rows_left, cols_left;

  LOUPE_DEVICE GemmTile(int rows, int cols)
      : rows_left(rows - row / 32 * 32), cols_left(cols - col / 64 * 64) {}

  /// Whether anybody reads column `i` of the slabs if `size` columns are wanted (or row `i`, with Part = 32):
  /// lanes read four at a time, and a warp whose second half has any reads it all.
  template <int Part>
  LOUPE_DEVICE static bool is_read(int i, int size) {
    const int here = size - i / Part * Part;
    return here > 0 && i % Part < (here > Part / 2 ? Part : (here + 3) / 4 * 4);
  }
  LOUPE_DEVICE static bool row_is_read(int i, int rows) { return is_read<32>(i, rows); }
  LOUPE_DEVICE static bool col_is_read(int i, int cols) { return is_read<64>(i, cols); }

  /// Adds one slab. Warps with few rows or columns do half or a quarter of the work.
  LOUPE_DEVICE void add(const Slab& s) {
    if (row % 32 >= rows_left || col % 64 >= cols_left) return;
    if (rows_left > 16)
      cols_left > 32 ? multiply<2, 2>(s) : multiply<2, 1>(s);
    else
      cols_left > 32 ? multiply<1, 2>(s) : multiply<1, 1>(s);
  }

  /// The whole product: `load(slab)` queues the copies of the next kDepth rows and is called `steps` times.
  template <typename Load>
  LOUPE_DEVICE void accumulate(int steps, Load& load) {
    Slabs& slabs = shared_storage<Slabs>();
    for (int i = 0; i < kSlabs - 1; ++i) {
      if (i < steps) load(slabs.of[i]);
      commit_copies();
    }
    for (int i = 0, now = 0, next = kSlabs - 1; i < steps; ++i) {
      wait_copies<kSlabs - 2>();
      sync_threads();  // the slab is there, and nobody reads the one before it any more
      if (i + kSlabs - 1 < steps) load(slabs.of[next]);
      commit_copies();
      add(slabs.of[now]);
      now = now + 1 == kSlabs ? 0 : now + 1;
      next = next + 1 == kSlabs ? 0 : next + 1;
    }
  }

 private:
  template <int RowHalves, int ColHalves>
  LOUPE_DEVICE void multiply(const Slab& s) {
    LOUPE_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      Float4 a[RowHalves], b[ColHalves];
      LOUPE_UNROLL
      for (int h = 0; h < RowHalves; ++h) a[h] = load_vector<4>(&s.a[k][row + 16 * h]);
      LOUPE_UNROLL
      for (int h = 0; h < ColHalves; ++h) b[h] = load_vector<4>(&s.b[k][col + 32 * h]);
      LOUPE_UNROLL
      for (int i = 0; i < 4 * RowHalves; ++i) LOUPE_UNROLL
      for (int j = 0; j < 4 * ColHalves; ++j) sum[i][j] = fused(a[i / 4][i % 4], b[j / 4][j % 4], sum[i][j]);
    }
  }
};

/// A number written with three digits (z, y, x) in a mixed base, counted upwards by a fixed step without
/// division.
struct Digits {
  int x, y, z;
  LOUPE_DEVICE static Digits of(int number, int x_base, int y_base) {
    const int rest = number / x_base;
    return {number % x_base, rest % y_base, rest / y_base};
  }
  LOUPE_DEVICE void add(const Digits& step, int x_base, int y_base) {
    x += step.x;
    y += step.y;
    z += step.z;
    if (x >= x_base) {
      x -= x_base;
      ++y;
    }
    if (y >= y_base) {
      y -= y_base;
      ++z;
    }
  }
};

}  // namespace loupe::LOUPE_TARGET
