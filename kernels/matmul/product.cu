// Matrix products on a GPU: GemmTile (conv2d/gemm/gemm_tile.h) over matrices that lie anywhere (product.h).
//
// A block makes a tile of one result. It walks along the terms of the sum and along k in steps of eight, and
// cp.async brings each step's slabs: of an operand whose neighbours along the tile's side are neighbours in
// memory 16 bytes at a time (4, where its rows are not whole vectors); of one that is contiguous along k, 4
// bytes at a time, eight lanes along k and four beside them, so that whole sectors are read and no two lanes
// of a warp write to one bank.
//
// Floor: m·n·k multiply-adds a product; to read a and b once and write c once. A tile of R × C sums reads R +
// C values from L2 for R·C multiply-adds.
//
//   tile       threads   shared memory   for
//   128 × 128  256       25 344 bytes    large results, where they make blocks for all multiprocessors
//   64 × 64    64        13 056 bytes    what lies between
//   32 × 64    32        9 984 bytes     where else there would be too few blocks
//
// An element is one chain of fused multiply-adds from zero, over the terms and along k, in every tile; a
// weight's gradient is cut into parts (reduce/sums.h), of which each element is such a chain.
#include "kernels/conv2d/gemm/gemm_tile.h"
#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/library.h"
#include "kernels/elementwise/epilogue.h"
#include "kernels/matmul/product.h"
#include "kernels/reduce/sums.h"

namespace loupe::LOUPE_TARGET {

// conv2d/by_library.cu
void bias_and_epilogue(Stream stream, int64_t n, int64_t k, int64_t pixels, const float* bias,
                       Epilogue epilogue, const float* residual, float* y, void* record);

namespace {

/// How a side of the tile (rows of a, columns of b) is read.
enum class Access : int {
  vectors,     // neighbours along the side lie together, in whole vectors of 16 bytes
  along_side,  // neighbours along the side lie together
  along_k,     // neighbours along k do
};

/// A side's operand within a block: its first row (or column) and k = 0 of a term.
struct Side {
  Access access;
  int64_t side_step, k_step;
  int count;  // rows (columns) that there are from the tile's first on
};

/// Queues the copies of `k_left` steps of k, eight at most, into a slab; the rest of what is read becomes
/// zero.
template <typename Tile, int Size, int Part>
LOUPE_DEVICE void copy_side(const Side& s, const float* from, int k_left,
                            float (&slab)[Tile::kDepth][Size + 4]) {
  const auto is_read = [&](int i) { return Tile::template is_read<Part>(i, s.count); };
  if (s.access == Access::vectors) {
    for (int i = thread_number(); i < Tile::kDepth * Size / 4; i += Tile::kThreads) {
      const int k = i / (Size / 4), at = i % (Size / 4) * 4;
      const bool valid = k < k_left && at < s.count;
      if (is_read(at)) copy_async<16>(&slab[k][at], valid ? from + k * s.k_step + at : from, valid);
    }
  } else if (s.access == Access::along_side) {
    for (int i = thread_number(); i < Tile::kDepth * Size; i += Tile::kThreads) {
      const int k = i / Size, at = i % Size;
      const bool valid = k < k_left && at < s.count;
      if (is_read(at)) copy_async<4>(&slab[k][at], valid ? from + k * s.k_step + at : from, valid);
    }
  } else {
    const int k = lane_id() % Tile::kDepth;
    for (int at = warp_id() * 4 + lane_id() / Tile::kDepth; at < Size; at += Tile::kWarps * 4) {
      const bool valid = k < k_left && at < s.count;
      if (is_read(at)) copy_async<4>(&slab[k][at], valid ? from + at * s.side_step + k : from, valid);
    }
  }
}

/// Of the results every `each`-th is a shorter sum than the others: of so many terms with so many steps.
struct Short {
  int each = 0;  // 0: none
  int terms = 0, k = 0;
};

/// Queues the copies of one slab after another: along k, then the next term.
template <typename Tile>
struct LoadSlabs {
  const Product& p;
  Side rows, columns;
  const float *a, *b;  // of term 0
  int length;          // of a term
  int term = 0, k = 0;
  Product::Offsets at = {};

  LOUPE_DEVICE void operator()(typename Tile::Slab& slab) {
    const int left = length - k;
    copy_side<Tile, Tile::kRows, 32>(rows, a + at.a + k * rows.k_step, left, slab.a);
    copy_side<Tile, Tile::kCols, 64>(columns, b + at.b + k * columns.k_step, left, slab.b);
    k += Tile::kDepth;
    if (k < length) return;
    k = 0;
    at = Product::offsets(p.terms, ++term < p.term_count() ? term : 0);
  }
};

template <typename Tile>
LOUPE_KERNEL_FOR(Tile::kThreads, Tile::kBlocks)
product_kernel(Product p, Short rest, Access of_a, Access of_b, const float* a, const float* b,
               const float* bias, const float* residual, float* c) {
  const int64_t row_tiles = (p.m + Tile::kRows - 1) / Tile::kRows,
                column_tiles = (p.n + Tile::kCols - 1) / Tile::kCols;
  // Blocks that differ in their rows alone are neighbours, and find each other's columns in L2.
  const int64_t result = blockIdx.x / (row_tiles * column_tiles);
  const int64_t in_result = blockIdx.x - result * row_tiles * column_tiles;
  const int64_t first_row = in_result % row_tiles * Tile::kRows,
                first_column = in_result / row_tiles * Tile::kCols;
  const auto left = [](int64_t size, int64_t first, int most) {
    return static_cast<int>(size - first < most ? size - first : most);
  };
  const int rows = left(p.m, first_row, Tile::kRows), columns = left(p.n, first_column, Tile::kCols);
  const Product::Offsets of_result = Product::offsets(p.results, result);

  const bool is_short = rest.each > 0 && static_cast<int>(result) % rest.each == rest.each - 1;
  const int k = is_short ? rest.k : static_cast<int>(p.k);
  const int terms = is_short ? rest.terms : static_cast<int>(p.term_count());

  Tile tile(rows, columns);
  LoadSlabs<Tile> load{p,
                       {of_a, p.a.row, p.a.col, rows},
                       {of_b, p.b.col, p.b.row, columns},
                       a + of_result.a + first_row * p.a.row,
                       b + of_result.b + first_column * p.b.col,
                       k};
  tile.accumulate(terms * ((k + Tile::kDepth - 1) / Tile::kDepth), load);

  const bool vectors = p.n % 4 == 0;
  LOUPE_UNROLL
  for (int i = 0; i < 8; ++i) {
    const int row = tile.row + i / 4 * 16 + i % 4;
    if (row >= rows) continue;
    const int64_t start = (result * p.m + first_row + row) * p.n + first_column;
    LOUPE_UNROLL
    for (int j = 0; j < 8; ++j) {
      const int column = tile.col + j / 4 * 32 + j % 4;
      if (column >= columns) continue;
      float& y = tile.sum[i][j];
      if (bias) y += bias[first_column + column];
      if (residual) y += residual[start + column];
      if (!vectors) {
        c[start + column] = y;
      } else if (j % 4 == 3) {
        store_vector<4>(c + start + column - 3,
                        Float4{{tile.sum[i][j - 3], tile.sum[i][j - 2], tile.sum[i][j - 1], tile.sum[i][j]}});
      }
    }
  }
}

// ---- host

bool all_multiples_of_4(const Product::Dim (&dims)[Product::kDims], int64_t Product::Dim::*stride) {
  for (const Product::Dim& d : dims)
    if (d.*stride % 4 != 0) return false;
  return true;
}

Access access_of(const Product& p, int64_t side_step, int64_t k_step, int64_t side,
                 int64_t Product::Dim::*stride) {
  if (side_step != 1) return Access::along_k;
  const bool whole = k_step % 4 == 0 && side % 4 == 0 && all_multiples_of_4(p.results, stride) &&
                     all_multiples_of_4(p.terms, stride);
  return whole ? Access::vectors : Access::along_side;
}

template <typename Tile>
int64_t blocks_of(const Product& p) {
  return (p.m + Tile::kRows - 1) / Tile::kRows * ((p.n + Tile::kCols - 1) / Tile::kCols) * p.result_count();
}

template <typename Tile>
void launch_tiles(Stream stream, const Product& p, const Short& rest, const float* a, const float* b,
                  const float* bias, const float* residual, float* c) {
  const Access of_a = access_of(p, p.a.row, p.a.col, p.m, &Product::Dim::a);
  const Access of_b = access_of(p, p.b.col, p.b.row, p.n, &Product::Dim::b);
  launch({{blocks_for(blocks_of<Tile>(p), 1)}, {Tile::kThreads}, 0, stream}, product_kernel<Tile>, p, rest,
         of_a, of_b, a, b, bias, residual, c);
}

/// p is merged().
void multiply(Stream stream, const Product& p, const Short& rest, const float* a, const float* b,
              const float* bias, const float* residual, float* c) {
  constexpr int64_t kEnough = 200;  // blocks: more than a GPU has multiprocessors
  using Large = GemmTile<4, 2>;
  using Medium = GemmTile<2, 1>;
  using Small = GemmTile<1, 1>;
  if (p.m > 64 && p.n > 64 && blocks_of<Large>(p) >= kEnough)
    return launch_tiles<Large>(stream, p, rest, a, b, bias, residual, c);
  if (p.m > 32 && blocks_of<Medium>(p) >= kEnough)
    return launch_tiles<Medium>(stream, p, rest, a, b, bias, residual, c);
  launch_tiles<Small>(stream, p, rest, a, b, bias, residual, c);
}

/// Parts of the one sum of p, `count` from the first on, as the results of a product: c is (parts, m, n).
/// p is merged(): its terms, one of parts.pixels steps for each image, lie one behind the other along k, or in
/// one dimension.
void multiply_parts(Stream stream, const Product& p, const Parts& parts, int64_t first, int64_t count,
                    const float* a, const float* b, float* c) {
  constexpr int kLast = Product::kDims - 1;
  const bool joined = p.k == parts.images * parts.pixels;
  const Product::Dim image =
      joined ? Product::Dim{parts.images, parts.pixels * p.a.col, parts.pixels * p.b.row} : p.terms[kLast];
  if (p.result_count() != 1 || (!joined && image.size != parts.images))
    throw Failure("the terms of a sum in parts do not lie evenly");
  const int64_t first_image = first / parts.of_image * parts.together;
  Product q{.m = p.m, .n = p.n, .k = parts.length, .a = p.a, .b = p.b};
  Short rest;
  if (parts.of_image > 1) {
    q.results[kLast - 1] = {count / parts.of_image, image.a, image.b};
    q.results[kLast] = {parts.of_image, parts.length * p.a.col, parts.length * p.b.row};
    rest = {small(parts.of_image), 1, small(parts.pixels - (parts.of_image - 1) * parts.length)};
  } else {
    q.results[kLast] = {count, parts.together * image.a, parts.together * image.b};
    q.terms[kLast] = {parts.together, image.a, image.b};
    const int64_t images = parts.images - first_image - (count - 1) * parts.together;  // of the last part
    if (images < parts.together) rest = {small(count), small(images), small(parts.length)};
  }
  const Product merged = q.merged();
  if (merged.k != q.k) rest = {rest.each, 1, rest.terms * rest.k};
  multiply(stream, merged, rest, a + first_image * image.a, b + first_image * image.b, nullptr, nullptr, c);
}

/// Product by product by a library. False, with nothing done: none serves, or the products are too small to
/// be worth a call each. What decides is the shape of one product, so that a result's bits do not depend on
/// the batch.
bool multiply_by_library(Stream stream, const Product& p, const float* a, const float* b, float* c) {
  constexpr int64_t kWorthACall = 1 << 20;  // multiply-adds
  if (p.m * p.n * p.k < kWorthACall) return false;
  for (int64_t i = 0; i < p.result_count(); ++i)
    for (int64_t t = 0; t < p.term_count(); ++t) {
      const Product::Offsets r = Product::offsets(p.results, i), s = Product::offsets(p.terms, t);
      const LibraryProduct one{p.m, p.n, p.k, p.a.row, p.a.col, p.b.row, p.b.col, t > 0};
      if (!library_product(stream, one, a + r.a + s.a, b + r.b + s.b, c + i * p.m * p.n)) return false;
    }
  return true;
}

}  // namespace

void product(Stream stream, Product p, Parts parts, bool library, const float* a, const float* b, Tail tail,
             float* c, float* scratch) {
  const auto* bias = static_cast<const float*>(tail.bias);
  const auto* residual = tail.epilogue.residual ? static_cast<const float*>(tail.residual) : nullptr;
  if (library && multiply_by_library(stream, p, a, b, c)) {
    bias_and_epilogue(stream, p.result_count() * p.m, p.n, 1, bias, {.residual = residual != nullptr},
                      residual, c, nullptr);
  } else {
    const Product merged = p.merged();
    small(p.length());
    if (parts.count() == 1)
      multiply(stream, merged, {}, a, b, bias, residual, c);
    else
      in_parts(stream, parts, p.m * p.n, c, scratch, [&](int64_t first, int64_t count, float* to) {
        multiply_parts(stream, merged, parts, first, count, a, b, to);
      });
  }
  tail.epilogue.residual = false;
  if (tail.epilogue)  // beside a tile's 64 sums there is no room for functions
    finish(stream, tail.epilogue, c, nullptr, c, tail.record, p.result_count() * p.m * p.n / tail.image,
           tail.image);
}

LOUPE_EXPORT(product);

}  // namespace loupe::LOUPE_TARGET
