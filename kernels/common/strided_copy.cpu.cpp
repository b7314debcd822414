// Strided copies on the CPU, in y's order. Where the last dimension lies in a row on both sides it is a
// memcpy a row. Where another dimension is the one that lies in a row in x (a transposition), the two are cut
// into tiles of 32×32, whose rows stay in the L1 cache while their columns are read. What is left goes
// element by element.
#include <algorithm>
#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/common/strided_copy.h"

namespace loupe::cpu {

namespace {

constexpr int64_t kTile = 32,
                  kPiece = 1 << 14;  // elements: the side of a tile; a long row's part for one task

struct Places {
  int64_t from, to;
};

// Where combination `i` of the copy's dimensions begins, those of `without` (a bit each) left out.
Places place(const StridedCopy& c, uint32_t without, int64_t i) {
  Places p{c.from_start, c.to_start};
  for (int d = c.rank - 1; d >= 0; --d) {
    if (without >> d & 1) continue;
    const int64_t k = i % c.size[d];
    i /= c.size[d];
    p.from += k * c.from[d];
    p.to += k * c.to[d];
  }
  return p;
}

int64_t combinations(const StridedCopy& c, uint32_t without) {
  int64_t n = 1;
  for (int d = 0; d < c.rank; ++d)
    if (!(without >> d & 1)) n *= c.size[d];
  return n;
}

template <typename T>
void copy_rows(const StridedCopy& c, const T* x, T* y) {
  const int last = c.rank - 1;
  const int64_t length = c.size[last], from_step = c.from[last], to_step = c.to[last];
  const int64_t pieces = ceil_div(length, kPiece);
  parallel_for(combinations(c, 1u << last) * pieces, [=, &c](int64_t task) {
    const Places p = place(c, 1u << last, task / pieces);
    const int64_t begin = task % pieces * kPiece, count = std::min(kPiece, length - begin);
    const T* from = x + p.from + begin * from_step;
    T* to = y + p.to + begin * to_step;
    if (from_step == 1 && to_step == 1)
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
    else
      for (int64_t i = 0; i < count; ++i) to[i * to_step] = from[i * from_step];
  });
}

// Dimension `across` lies in a row in x, the last one in y.
template <typename T>
void copy_tiles(const StridedCopy& c, int across, const T* x, T* y) {
  const int last = c.rank - 1;
  const uint32_t both = 1u << last | 1u << across;
  const int64_t rows = ceil_div(c.size[across], kTile), columns = ceil_div(c.size[last], kTile);
  parallel_for(combinations(c, both) * rows * columns, [=, &c](int64_t task) {
    const Places p = place(c, both, task / (rows * columns));
    const int64_t i0 = task / columns % rows * kTile, i1 = std::min(c.size[across], i0 + kTile);
    const int64_t j0 = task % columns * kTile, j1 = std::min(c.size[last], j0 + kTile);
    for (int64_t i = i0; i < i1; ++i) {
      const T* from = x + p.from + i;
      T* to = y + p.to + i * c.to[across];
      for (int64_t j = j0; j < j1; ++j) to[j] = from[j * c.from[last]];
    }
  });
}

template <typename T>
void copy(const StridedCopy& c, const void* from, void* to) {
  const auto* x = static_cast<const T*>(from);
  auto* y = static_cast<T*>(to);
  if (c.rank == 0) {
    y[c.to_start] = x[c.from_start];
    return;
  }
  const int last = c.rank - 1;
  if (c.to[last] == 1 && c.from[last] != 1)
    for (int d = 0; d < last; ++d)
      if (c.from[d] == 1) return copy_tiles(c, d, x, y);
  copy_rows(c, x, y);
}

}  // namespace

void strided_copy(const StridedCopy& c, const void* x, void* y, int64_t element_bytes) {
  if (element_bytes == 1) return copy<uint8_t>(c, x, y);
  if (element_bytes == 4) return copy<uint32_t>(c, x, y);
  copy<uint64_t>(c, x, y);
}

}  // namespace loupe::cpu
