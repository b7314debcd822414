// Superpixels: a picture cut into patches of about one size that follow its edges.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/image/image.h"

namespace loupe {

struct Superpixels {
  int64_t count = 0;
  std::vector<int32_t>
      labels;  // (height, width), row-major: 0 … count − 1 in the order in which they first appear
};

/// SLIC (Achanta, Shaji, Smith, Lucchi, Fua & Süsstrunk 2012, "SLIC superpixels compared to state-of-the-art
/// superpixel methods", algorithm 1): ten rounds of k-means over (L, a, b, x, y), CIELAB of a D65 white, in which
/// a centre sees the pixels up to one spacing S = √(pixels/count) away along each side; the distance is
/// √(d_lab² + (compactness·d_xy/S)²). Centres begin on a regular grid, each at the least gradient of the 3×3 pixels there.
/// Then every superpixel is made connected (by sides): pieces of less than S²/4 pixels join what lies before them.
/// About `count` come out; none is empty, and the same picture gives the same ones everywhere.
/// Throws UsageError where count is below 1 or above the pixels, or compactness is not positive.
Superpixels slic(const Image& image, int64_t count, double compactness = 10);

}  // namespace loupe
