// Matrix products on the CPU, in float32.
//
// b is cut into panels of 16 columns and packed, so that the kernel reads it in one run: once and for all
// where it is a parameter, else before each product into the workspace. A task makes a block of c, some 126
// rows by 256 columns: for each 256 steps of k it packs its rows of a into memory of its thread, and walks
// over tiles of 14 × 32 sums (AVX-512; 6 × 16 by AVX2) that live in registers. A tile's share of b, 32 KiB,
// then stays in the L1 cache while the rows of a pass by.
//
//   a, packed    groups of 4 rows, (group, k, 4): packing is one transposition of vectors (StoreInterleaved4)
//   b, packed    (panel, k, 16)
//
// Every sum is one chain of fused multiply-adds in the order of k; between stretches of k it waits in c.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/product.cpu.cpp"
#include <algorithm>
#include "hwy/foreach_target.h"  // compiles this file once for each instruction set

#include "hwy/highway.h"
#include "kernels/common/parallel.h"
#include "kernels/elementwise/epilogue-inl.h"
#include "kernels/matmul/product_plan.h"
#include "kernels/matmul/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loupe {
namespace HWY_NAMESPACE {
namespace {

using cpu::kGroups, cpu::Piece, cpu::Work;

constexpr int64_t kTilePanels = 16 / kPanels;  // tiles from left to right in a task, at most

// Where a tile's sums go: rows × columns of c, from `row` (counted through all results) and `column` on.
struct Place {
  int64_t row, column;
  int rows;
  int64_t columns;
};

// A tile's sums, the rows of its first panel and then those of the next.
struct Sums {
  static constexpr int64_t kPanel = kRows * kBlock;
  HWY_ALIGN float at[kPanels * kPanel];
  float* cell(int64_t row, int64_t panel) { return at + panel * kPanel + row * kBlock; }
};

// Calls body(cell, place in c, columns) for the rows of 16 sums of a tile, or what is left of them.
template <typename Body>
HWY_INLINE void for_cells(const Work& w, const Place& at, Sums& sums, const Body& body) {
  for (int64_t column = 0; column < at.columns; column += kBlock)
    for (int64_t i = 0; i < at.rows; ++i)
      body(sums.cell(i, column / kBlock), (at.row + i) * w.p.n + at.column + column,
           std::min(kBlock, at.columns - column));
}

// The sums of a tile become elements of c.
void finish(const Work& w, const Place& at, Sums& sums) {
  const auto* bias = static_cast<const float*>(w.tail.bias);
  if (bias)
    for_cells(w, at, sums, [&](float* cell, int64_t start, int64_t count) {
      for (int64_t j = 0; j < count; ++j) cell[j] += bias[start % w.p.n + j];
    });
  if (!w.tail.epilogue)
    return for_cells(w, at, sums, [&](float* cell, int64_t start, int64_t count) {
      std::copy_n(cell, count, w.c + start);
    });
  const auto* residual = static_cast<const float*>(w.tail.residual);
  for (int64_t column = 0; column < at.columns; column += kBlock) {  // whole panels: see product()
    const int64_t start = at.row * w.p.n + at.column + column;
    CellRun run{.from = sums.cell(0, column / kBlock),
                .residual = residual ? residual + start : nullptr,
                .to = w.c + start,
                .record = nullptr,
                .step = w.p.n,
                .cells = at.rows};
    if (w.tail.record)
      run.record = w.tail_in_bits ? static_cast<void*>(static_cast<uint16_t*>(w.tail.record) + start / kBlock)
                                  : static_cast<void*>(static_cast<float*>(w.tail.record) + start);
    finish_cells(w.tail.epilogue, run);
  }
}

void make_tile(const Work& w, const Place& at, Tile t, bool last) {
  const int panels = at.columns > kBlock ? kPanels : 1;
  const TileFunction function = kTiles[panels > 1][static_cast<size_t>(at.rows - 1)];
  if (at.columns == panels * kBlock && !(last && w.tail)) {
    t.c = w.c + at.row * w.p.n + at.column;
    t.c_row = w.p.n;
    t.c_panel = kBlock;
    return function(t);
  }
  Sums sums;
  t.c = sums.at;
  t.c_row = kBlock;
  t.c_panel = Sums::kPanel;
  if (t.add)
    for_cells(w, at, sums, [&](float* cell, int64_t start, int64_t count) {
      std::copy_n(w.c + start, count, cell);
      std::fill_n(cell + count, kBlock - count, 0.0f);
    });
  function(t);
  if (last) return finish(w, at, sums);
  for_cells(w, at, sums,
            [&](float* cell, int64_t start, int64_t count) { std::copy_n(cell, count, w.c + start); });
}

// ---- tasks

// Part `i` of `parts` nearly equal ones of [0, count).
struct Range {
  int64_t begin, end;
  Range(int64_t count, int64_t parts, int64_t i) : begin(i * count / parts), end((i + 1) * count / parts) {}
};

// How c is cut into blocks, one a task: an item's columns first, then its rows, in whole tiles. Columns are
// cut into an even number of blocks, fours where there are many, so that few threads share them evenly.
struct Grid {
  int64_t row_tiles, column_tiles, row_blocks, column_blocks;
  explicit Grid(const Product& p)
      : row_tiles(ceil_div(p.m, kRows)),
        column_tiles(ceil_div(blocks(p.n), kPanels)),
        row_blocks(ceil_div(row_tiles, kGroups / kRowGroups)),
        column_blocks(ceil_div(column_tiles, kTilePanels)) {
    if (column_tiles >= 8)
      column_blocks = round_up(column_blocks, 4);
    else if (column_tiles >= 2)
      column_blocks = round_up(column_blocks, 2);
  }
  int64_t tasks() const { return row_blocks * column_blocks; }
};

void multiply_block(const Work& w, const Piece& piece, int64_t item, const Range& rows,
                    const Range& columns) {
  const Product& p = w.p;
  float* scratch = w.scratch + thread_index() * kGroups * kGroup;
  const float* a = w.a + w.operands(item, piece).a;
  const float* b = w.packed + (w.b_is_packed ? piece.k_begin * kBlock : item * w.panels() * w.panel_stride());
  for (int64_t k0 = piece.k_begin; k0 < piece.k_end; k0 += kDepth) {
    const int64_t k = std::min(kDepth, piece.k_end - k0);
    for (int64_t tile = rows.begin; tile < rows.end; ++tile)
      pack_rows(p.a, a + tile * kRows * p.a.row + k0 * p.a.col, k,
                std::min<int64_t>(kRows, p.m - tile * kRows),
                scratch + (tile - rows.begin) * kRowGroups * kGroup);
    const bool last = piece.last && k0 + k == piece.k_end;
    for (int64_t j = columns.begin; j < columns.end; ++j)
      for (int64_t tile = rows.begin; tile < rows.end; ++tile) {
        const int64_t row = tile * kRows, column = j * kPanels * kBlock;
        const Place at{(w.first + item) * p.m + row, column,
                       static_cast<int>(std::min<int64_t>(kRows, p.m - row)),
                       std::min(kPanels * kBlock, p.n - column)};
        const Tile t{.k = k,
                     .a = scratch + (tile - rows.begin) * kRowGroups * kGroup,
                     .b = b + j * kPanels * w.panel_stride() + (k0 - piece.k_begin) * kBlock,
                     .b_panel = w.panel_stride(),
                     .c = nullptr,
                     .c_row = 0,
                     .c_panel = 0,
                     .add = !(piece.first && k0 == piece.k_begin)};
        make_tile(w, at, t, last);
      }
  }
}

void PackPiece(const Work& w, const Piece& piece) {
  constexpr int64_t kPanelsOfATask = 4;  // so that a row of b is read in longer runs
  const int64_t tasks = ceil_div(w.panels(), kPanelsOfATask);
  parallel_for(w.items * tasks, [&](int64_t i) {
    const int64_t item = i / tasks, panel = i % tasks * kPanelsOfATask, column = panel * kBlock;
    const float* b = w.b + w.operands(item, piece).b + piece.k_begin * w.p.b.row + column * w.p.b.col;
    pack_panels(w.p.b, b, piece.k_end - piece.k_begin, std::min(kPanelsOfATask * kBlock, w.p.n - column),
                w.panel_stride(), w.packed + (item * w.panels() + panel) * w.panel_stride());
  });
}

void MultiplyPiece(const Work& w, const Piece& piece) {
  const Grid grid(w.p);
  parallel_for(w.items * grid.tasks(), [&](int64_t i) {
    const int64_t in_item = i % grid.tasks();
    multiply_block(w, piece, i / grid.tasks(),
                   Range(grid.row_tiles, grid.row_blocks, in_item % grid.row_blocks),
                   Range(grid.column_tiles, grid.column_blocks, in_item / grid.row_blocks));
  });
}

// Lines of rows are added up before they join the total, so that long sums lose less.
void ColumnSums(int64_t rows, int64_t columns, const float* x, float* sums) {
  constexpr int64_t kLine = 64;
  parallel_for(blocks(columns), [=](int64_t block) {
    const int64_t first = block * kBlock, width = std::min(kBlock, columns - first);
    HWY_ALIGN float row[kBlock] = {};
    Block total = fill(0.0f);
    for (int64_t begin = 0; begin < rows; begin += kLine) {
      Block line = fill(0.0f);
      for (int64_t r = begin; r < std::min(rows, begin + kLine); ++r) {
        const float* from = x + r * columns + first;
        if (width < kBlock) std::copy_n(from, width, row);
        line = add(line, load(width < kBlock ? row : from));
      }
      total = add(total, line);
    }
    store(total, row);
    std::copy_n(row, width, sums + first);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace loupe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loupe {
HWY_EXPORT(PackPiece);
HWY_EXPORT(MultiplyPiece);
HWY_EXPORT(ColumnSums);

namespace cpu {

namespace {

// Floats of a b that is packed for one result, and how many results are made at once. The latter changes no
// bit.
int64_t packed_at_once(const Product& p) { return blocks(p.n) * kBlock * std::min(p.k, kPiece); }
int64_t items_at_once(const Product& p) {
  return std::clamp<int64_t>(kPackedAtOnce / packed_at_once(p), 1, p.result_count());
}
int64_t floats_of_b(const Product& p, bool b_is_packed) {
  return b_is_packed ? 0 : items_at_once(p) * packed_at_once(p);
}

void expect_one_b(const Product& p) {
  if (p.result_count() != 1 || p.term_count() != 1)
    throw Error("a matrix that differs from product to product cannot be packed beforehand");
}

}  // namespace

int64_t packed_floats(const Product& product) { return blocks(product.n) * kBlock * product.k; }

void pack(const Product& product, const float* b, float* to) {
  const Product p = product.merged();
  expect_one_b(p);
  const Work w{p, nullptr, b, {}, false, nullptr, to, true, nullptr, 0, 1};
  HWY_DYNAMIC_DISPATCH(PackPiece)(w, {0, 0, p.k, true, true});
}

int64_t product_workspace(const Product& p, bool b_is_packed) {
  return (floats_of_b(p.merged(), b_is_packed) + kGroups * kGroup * max_threads()) *
         static_cast<int64_t>(sizeof(float));
}

void product(const Product& product, const float* a, const float* b, bool b_is_packed, const Tail& tail,
             float* c, std::span<std::byte> workspace) {
  const Product p = product.merged();
  if (b_is_packed) expect_one_b(p);
  if (static_cast<int64_t>(workspace.size()) < product_workspace(p, b_is_packed))
    throw Error("matmul: the workspace of " + std::to_string(workspace.size()) + " bytes is too small for " +
                std::to_string(max_threads()) +
                " threads: set the number of threads before the plan is made");
  float* memory = reinterpret_cast<float*>(workspace.data());
  Work w{p, a, b, tail, false, c, memory, b_is_packed, memory + floats_of_b(p, b_is_packed), 0, 1};
  // The tiles end with the epilogue where their rows are whole cells, as masks of bits need it.
  const bool in_tiles = p.n % kBlock == 0;
  if (!in_tiles) w.tail.epilogue = {};
  if (tail.epilogue.function) w.tail_in_bits = function_info(tail.epilogue.function).keeps == Keeps::bit;
  if (b_is_packed) w.packed = const_cast<float*>(b);  // is read alone
  const int64_t at_once = b_is_packed ? 1 : items_at_once(p), length = b_is_packed ? p.k : kPiece;
  for (; w.first < p.result_count(); w.first += at_once) {
    w.items = std::min(at_once, p.result_count() - w.first);
    for (int64_t term = 0; term < p.term_count(); ++term)
      for (int64_t k = 0; k < p.k; k += length) {
        const int64_t end = std::min(p.k, k + length);
        const Piece piece{term, k, end, term == 0 && k == 0, term == p.term_count() - 1 && end == p.k};
        if (!b_is_packed) HWY_DYNAMIC_DISPATCH(PackPiece)(w, piece);
        HWY_DYNAMIC_DISPATCH(MultiplyPiece)(w, piece);
      }
  }
  if (!in_tiles && tail.epilogue)
    finish_planar(tail.epilogue, c, static_cast<const float*>(tail.residual), c, tail.record,
                  p.result_count() * p.m * p.n / tail.image, tail.image);
}

void column_sums(int64_t rows, int64_t columns, const float* x, float* sums) {
  HWY_DYNAMIC_DISPATCH(ColumnSums)(rows, columns, x, sums);
}

}  // namespace cpu
}  // namespace loupe
#endif
