#include "kernels/reduce/parts.h"

#include <algorithm>

namespace loupe {

namespace {

constexpr int64_t kImages = 32;  // a batch that a GPU should be filled by

int64_t nearest(int64_t a, int64_t b) { return std::max<int64_t>(1, (a + b / 2) / b); }

}  // namespace

Parts Parts::of(int64_t images, int64_t pixels, int64_t warps, Work work) {
  const int64_t wanted = ceil_div(work.enough, warps);  // parts of kImages images
  Parts p = whole(images, pixels);
  if (wanted == 1) return p;
  const int64_t length = std::max(ceil_div(kImages * pixels, wanted), work.shortest);
  if (length > pixels) {
    p.together = nearest(length, pixels);
    return p;
  }
  constexpr int64_t kWhole = 8;  // a part begins at a whole vector, and is whole slabs of a tile
  p.together = 1;
  p.length = round_up(ceil_div(pixels, nearest(pixels, length)), kWhole);
  p.of_image = ceil_div(pixels, p.length);
  return p;
}

Parts Parts::of_channels(int64_t images, int64_t channels, int64_t pixels) {
  return of(images, pixels, 8 * channels, kChannels);
}

Parts Parts::of_rows(int64_t images, int64_t rows, int64_t columns) {
  return of(images, rows, 8 * ceil_div(columns, 32), kRows);
}

std::string Parts::describe() const {
  if (of_image > 1) return ", " + std::to_string(of_image) + " parts an image";
  if (together == 1) return ", a part an image";
  return together < kAllImages ? ", a part for " + std::to_string(together) + " images" : "";
}

std::string Parts::describe(int64_t blocks) const {
  const int64_t all = count() * blocks;
  return describe() + ": " + std::to_string(all) + (all == 1 ? " block" : " blocks");
}

}  // namespace loupe
