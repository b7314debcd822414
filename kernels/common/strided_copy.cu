// Strided copies on a GPU. A thread moves one element, in y's order, or 16 bytes of it where the last
// dimension lies in a row on both sides and everything begins at a multiple of 16 bytes. Where another
// dimension is the one that lies in a row in x (a transposition), a block brings a tile of 32×32 through
// shared memory, so that both sides are rows.
//
// Floor: 4 bytes read and 4 written an element.
#include "kernels/common/strided_copy.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/vectors.h"

namespace loupe::LOUPE_TARGET {

namespace {

// A StridedCopy whose inner dimensions are divided by multiplication. The first one may count beyond 32 bits.
struct Walk {
  int rank;
  int64_t from[Shape::kMaxRank], to[Shape::kMaxRank];
  int size[Shape::kMaxRank];
  Divider by[Shape::kMaxRank] = {Divider(1), Divider(1), Divider(1), Divider(1), Divider(1), Divider(1)};

  // `width` elements of the last dimension are one.
  Walk(const StridedCopy& c, int width) : rank(c.rank) {
    for (int d = 0; d < rank; ++d) {
      const int unit = d == rank - 1 ? width : 1;
      from[d] = c.from[d] * unit;
      to[d] = c.to[d] * unit;
      size[d] = d == 0 ? 0 : small(c.size[d] / unit);
      if (d > 0) by[d] = Divider(size[d]);
    }
  }
};

template <typename T, int Width>
LOUPE_KERNEL strided_copy_kernel(Cells elements, Walk w, const T* x, T* y) {
  int64_t first;
  int rest;
  if (!elements.find(first, rest)) return;
  int64_t from = first * w.from[0], to = first * w.to[0];
  for (int d = w.rank - 1; d > 0; --d) {
    const int above = w.by[d].quotient(rest), i = rest - above * w.size[d];
    from += i * w.from[d];
    to += i * w.to[d];
    rest = above;
  }
  store_vector(y + to, load_vector<Width>(x + from));
}

constexpr int kTile = 32, kRows = 8;  // rows of a tile that a block moves at once

// A transposition as seen by a block: `rows` lie in a row in x, `columns` in y; the other dimensions are
// planes.
struct Planes {
  int rank = 0;
  int64_t size[Shape::kMaxRank] = {}, from[Shape::kMaxRank] = {}, to[Shape::kMaxRank] = {};
  int64_t rows = 1, columns = 1, row_to = 0, column_from = 0;
};

template <typename T>
LOUPE_KERNEL transpose_kernel(Planes p, const T* x, T* y) {
  struct Tile {
    T of[kTile][kTile + 1];  // a column more, so that reading down meets every bank once
  };
  auto& tile = shared_storage<Tile>().of;
  const int lane = static_cast<int>(threadIdx.x), first = static_cast<int>(threadIdx.y);
  const int64_t across = (p.columns + kTile - 1) / kTile, down = (p.rows + kTile - 1) / kTile;
  const int64_t j0 = blockIdx.x % across * kTile, i0 = blockIdx.x / across % down * kTile;
  int64_t plane = blockIdx.x / across / down;
  for (int d = p.rank - 1; d >= 0; --d) {
    x += plane % p.size[d] * p.from[d];
    y += plane % p.size[d] * p.to[d];
    plane /= p.size[d];
  }
  for (int r = first; r < kTile; r += kRows)
    if (i0 + lane < p.rows && j0 + r < p.columns) tile[r][lane] = x[i0 + lane + (j0 + r) * p.column_from];
  sync_threads();
  for (int r = first; r < kTile; r += kRows)
    if (i0 + r < p.rows && j0 + lane < p.columns) y[(i0 + r) * p.row_to + j0 + lane] = tile[lane][r];
}

template <typename T>
void transpose(Stream stream, const StridedCopy& c, int across, const T* x, T* y) {
  const int last = c.rank - 1;
  Planes p;
  int64_t planes = 1;
  for (int d = 0; d < last; ++d) {
    if (d == across) continue;
    p.size[p.rank] = c.size[d];
    p.from[p.rank] = c.from[d];
    p.to[p.rank++] = c.to[d];
    planes *= c.size[d];
  }
  p.rows = c.size[across];
  p.columns = c.size[last];
  p.row_to = c.to[across];
  p.column_from = c.from[last];
  const int64_t tiles = (p.rows + kTile - 1) / kTile * ((p.columns + kTile - 1) / kTile);
  launch({{blocks_for(planes * tiles, 1)}, {kTile, kRows}, 0, stream}, transpose_kernel<T>, p, x, y);
}

// 16 bytes at a time are possible.
bool whole_vectors(const StridedCopy& c) {
  const int last = c.rank - 1;
  bool whole = c.from[last] == 1 && c.to[last] == 1 && c.size[last] % 4 == 0;
  for (int d = 0; d < last; ++d) whole = whole && c.from[d] % 4 == 0 && c.to[d] % 4 == 0;
  return whole && c.from_start % 4 == 0 && c.to_start % 4 == 0;
}

template <typename T>
void copy_elements(Stream stream, const StridedCopy& copy, const void* from, void* to) {
  StridedCopy c = copy;
  if (c.rank == 0) c.size[c.rank++] = 1;  // a single element
  const int last = c.rank - 1;
  const T* x = static_cast<const T*>(from) + c.from_start;
  T* y = static_cast<T*>(to) + c.to_start;
  if (c.to[last] == 1 && c.from[last] != 1)
    for (int d = 0; d < last; ++d)
      if (c.from[d] == 1) return transpose(stream, c, d, x, y);
  const bool whole = sizeof(T) == 4 && whole_vectors(c);
  const int width = whole ? 4 : 1;
  int64_t rest = 1;
  for (int d = 1; d < c.rank; ++d) rest *= c.size[d] / (d == last ? width : 1);
  const Cells elements(c.rank == 1 ? c.size[0] / width : c.size[0], rest);
  if (whole)
    launch(elements.launch_in(stream), strided_copy_kernel < T, sizeof(T) == 4 ? 4 : 1 >, elements,
           Walk(c, width), x, y);
  else
    launch(elements.launch_in(stream), strided_copy_kernel<T, 1>, elements, Walk(c, 1), x, y);
}

LOUPE_KERNEL fill_kernel(Vectors elements, float* y, float value) {
  elements.visit([&](int64_t i, auto width) {
    Vector<float, width()> v;
    for (int k = 0; k < width(); ++k) v[k] = value;
    store_vector(y + i, v);
  });
}

}  // namespace

void strided_copy(Stream stream, const StridedCopy& c, const void* x, void* y, int64_t element_bytes) {
  if (element_bytes == 4) return copy_elements<uint32_t>(stream, c, x, y);
  if (element_bytes == 1) return copy_elements<uint8_t>(stream, c, x, y);
  throw Failure("a device moves elements of 1 or 4 bytes");
}

void fill(Stream stream, float* y, int64_t count, float value) {
  const Vectors elements{count};
  launch(elements.launch_in(stream), fill_kernel, elements, y, value);
}

LOUPE_EXPORT(strided_copy);
LOUPE_EXPORT(fill);

}  // namespace loupe::LOUPE_TARGET
